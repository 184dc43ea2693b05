/** Not more than so many requests a second, however eager the caller. */

import type { Clock } from "../base/clock.ts";

/** Up to `burst` at once, `perSecond` in the long run; whoever comes first goes first. */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #burst: number;
  readonly #clock: Clock;
  /** When the next request would go if there were no bursts. */
  #next = -Infinity;

  constructor(perSecond: number, burst: number, clock: Clock) {
    this.#intervalMs = 1_000 / perSecond;
    this.#burst = burst;
    this.#clock = clock;
  }

  /** Waits for its turn, which is taken even if `signal` ends the waiting. */
  async take(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const credit = this.#intervalMs * (this.#burst - 1);
    const at = Math.max(this.#next, now - credit);
    this.#next = at + this.#intervalMs;
    if (at > now) await this.#clock.sleep(at - now, signal);
    signal.throwIfAborted();
  }

  /** Nobody goes for `ms` milliseconds: the server asked for it. */
  pause(ms: number): void {
    this.#next = Math.max(this.#next, this.#clock.now() + ms);
  }
}
