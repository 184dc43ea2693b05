/** Keys to work on: each waits once, is worked on by one at a time, and may be put off. */

import { type Backoff, backoffMs } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";

export interface WorkQueueOptions {
  /** Between failures of one key. */
  readonly backoff?: Backoff;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const BACKOFF: Backoff = { firstMs: 250, mostMs: 60_000 };

/**
 * Guarantees: a key added while it waits is worked on once, at the earliest of the times asked for;
 * one added while it is worked on is worked on again afterwards. Keys that are due come out in the
 * order in which they became due.
 */
export class WorkQueue {
  readonly #backoff: Backoff;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** When each waiting key is due. */
  readonly #due = new Map<string, number>();
  readonly #taken = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #wakers = new Set<() => void>();

  constructor(options: WorkQueueOptions = {}) {
    this.#backoff = options.backoff ?? BACKOFF;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** How many keys wait. */
  get size(): number {
    return this.#due.size;
  }

  /** Lets `key` be worked on after `afterMs` milliseconds, or earlier if it is due earlier already. */
  add(key: string, afterMs = 0): void {
    const at = this.#clock.now() + afterMs;
    const before = this.#due.get(key);
    if (before !== undefined && before <= at) return;
    this.#due.set(key, at);
    for (const wake of this.#wakers) wake();
  }

  /** Adds a key that failed, later each time; returns after how many milliseconds. */
  retry(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const afterMs = backoffMs(this.#backoff, failures, this.#random());
    this.add(key, afterMs);
    return afterMs;
  }

  /** How often `key` has failed since it was last forgotten. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** `key` is well: its next failure counts as its first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Waits for a key and hands it out; `done()` gives it back. Undefined once `signal` fires. */
  async take(signal: AbortSignal): Promise<string | undefined> {
    while (!signal.aborted) {
      const next = this.#next();
      const waitMs = next === undefined ? Infinity : next.at - this.#clock.now();
      if (next !== undefined && waitMs <= 0) {
        this.#due.delete(next.key);
        this.#taken.add(next.key);
        return next.key;
      }
      await this.#change(waitMs, signal);
    }
    return undefined;
  }

  /** `key` isn't worked on any more. */
  done(key: string): void {
    this.#taken.delete(key);
    if (this.#due.has(key)) { for (const wake of this.#wakers) wake(); }
  }

  /** Few thousand keys at most: looking through them costs less than keeping them in order. */
  #next(): { readonly key: string; readonly at: number } | undefined {
    let found: { readonly key: string; readonly at: number } | undefined;
    for (const [key, at] of this.#due) {
      if (!this.#taken.has(key) && (found === undefined || at < found.at)) found = { key, at };
    }
    return found;
  }

  async #change(waitMs: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#wakers.add(wake);
    signal.addEventListener("abort", wake);
    try {
      await this.#clock.sleep(waitMs, woken.signal);
    } finally {
      this.#wakers.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }
}
