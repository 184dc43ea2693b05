/** Keys to look at again: each once, a little later, one after the other. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

/** Changes come in bursts, most of them our own: they are looked at together. */
const GATHER_MS = 50;

export class ReconcileQueue {
  readonly #reconcile: (key: string) => Promise<void>;
  readonly #log: Log;
  readonly #gatherMs: number;
  readonly #waiting = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = Promise.resolve();
  #closed = false;

  /** Keys are gathered for `gatherMs` milliseconds. */
  constructor(reconcile: (key: string) => Promise<void>, log: Log, gatherMs: number = GATHER_MS) {
    this.#reconcile = reconcile;
    this.#log = log;
    this.#gatherMs = gatherMs;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#waiting.add(key);
    this.#timer ??= setTimeout(() => {
      this.#running = this.#running.then(() => this.#drain());
    }, this.#gatherMs);
  }

  async #drain(): Promise<void> {
    this.#timer = undefined;
    const keys = [...this.#waiting];
    this.#waiting.clear();
    for (const key of keys) {
      if (this.#closed) return;
      try {
        await this.#reconcile(key);
      } catch (error) {
        this.#log.error("Reconcile failed", { key, error: describe(error) });
      }
      // Requests are served in between, however long the list.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** Takes no more keys, and resolves when the one under way is done. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
