/** Keys to look at again: each once, a little later, one after the other, and again if it failed. */

import type { Backoff } from "../base/backoff.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { WorkQueue } from "../base/work_queue.ts";

/** Changes come in bursts, most of them our own: they are looked at together. */
const GATHER_MS = 50;
/**
 * A key that takes long rests this many times as long before it is looked at again, so that a LAN
 * with hundreds of attachments that change one after the other does not take up the agent. The shorter
 * of its last two looks counts: one alone may have waited for somebody else at a lock of the kernel's.
 */
const REST_FACTOR = 10;
/** What is wrong has to be mended within two seconds. */
const REST_MOST_MS = 500;
/** The periodic look comes every minute: later than that would be no retry. */
const BACKOFF: Backoff = { firstMs: 500, mostMs: 30_000 };

export class ReconcileQueue {
  readonly #reconcile: (key: string) => Promise<boolean>;
  readonly #log: Log;
  readonly #gatherMs: number;
  readonly #queue: WorkQueue;
  /** Of keys whose last look calls for a longer rest than `gatherMs`: what the last two call for. */
  readonly #rests = new Map<string, readonly [last: number, before: number]>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  /** `reconcile` says whether the key is well. Keys are gathered for `gatherMs` milliseconds. */
  constructor(
    reconcile: (key: string) => Promise<boolean>,
    log: Log,
    gatherMs: number = GATHER_MS,
    backoff: Backoff = BACKOFF,
  ) {
    this.#reconcile = reconcile;
    this.#log = log;
    this.#gatherMs = gatherMs;
    this.#queue = new WorkQueue({ backoff });
    this.#running = this.#run();
  }

  add(key: string): void {
    this.#queue.add(key, Math.max(this.#gatherMs, Math.min(...this.#rests.get(key) ?? [0])));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const key = await this.#queue.take(signal);
      if (key === undefined) return;
      const isWell = await this.#look(key);
      this.#queue.done(key);
      if (isWell) this.#queue.forget(key);
      else this.#queue.retry(key);
      // Requests are served in between, however long the list.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  async #look(key: string): Promise<boolean> {
    const started = performance.now();
    try {
      return await this.#reconcile(key);
    } catch (error) {
      this.#log.error("Reconcile failed", { key, error: describe(error) });
      return false;
    } finally {
      const restMs = Math.min(REST_FACTOR * (performance.now() - started), REST_MOST_MS);
      if (restMs > this.#gatherMs) this.#rests.set(key, [restMs, this.#rests.get(key)?.[0] ?? 0]);
      else this.#rests.delete(key);
    }
  }

  /** Takes no more keys, and resolves when the one under way is done. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
