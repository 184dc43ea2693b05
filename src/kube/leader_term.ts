/** A time of leadership, which ends for good before anybody else's can begin. */

import type { Clock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";

export class LeaderTerm {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #heldUntil: number;

  /** Ends at `heldUntil` of `clock` unless it is prolonged. */
  constructor(clock: Clock, heldUntil: number) {
    this.#clock = clock;
    this.#heldUntil = heldUntil;
    this.#guard();
  }

  /** Fires when the term is over; nothing may be written as leader from then on. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Throws K8slanError "NotLeader" when the term is over. To be called right before each write: after
   * a standstill of the process this knows it before any timer does.
   */
  assertHeld(): void {
    if (this.#clock.now() >= this.#heldUntil) this.end();
    this.#controller.signal.throwIfAborted();
  }

  prolong(heldUntil: number): void {
    // What is over stays over: a renewal that comes late begins no new term here.
    if (this.#clock.now() >= this.#heldUntil) this.end();
    this.#heldUntil = heldUntil;
  }

  end(): void {
    const text = "This process isn't the leader any more";
    this.#controller.abort(new K8slanError("NotLeader", text, { retriable: true }));
  }

  async #guard(): Promise<void> {
    while (!this.signal.aborted) {
      await this.#clock.sleep(this.#heldUntil - this.#clock.now(), this.signal);
      if (this.#clock.now() >= this.#heldUntil) this.end();
    }
  }
}
