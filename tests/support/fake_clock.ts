/** A clock that stands still until a test moves it. */

import type { Clock } from "../../src/base/clock.ts";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper: Sleeper = { at: this.#now + Math.max(ms, 0), wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", wake);
    });
  }

  /** How many sleep. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Milliseconds until the first one wakes; undefined if nobody sleeps. */
  get nextMs(): number | undefined {
    const at = Math.min(...Array.from(this.#sleepers, (sleeper) => sleeper.at));
    return at === Infinity ? undefined : at - this.#now;
  }

  /** Lets `ms` milliseconds pass, waking whoever is due, one after the other. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = [...this.#sleepers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      const next = due[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /** Time passes while nobody runs, as when the process is stopped: nobody is woken yet. */
  jump(ms: number): void {
    this.#now += ms;
  }
}

/** Lets everything run that waits for neither clock nor machine. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}
