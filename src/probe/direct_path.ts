/** Whether frames that this node sends to one peer alone arrive: what was tried, what became of it. */

import { SEQ_MASK } from "./hello_codec.ts";
import { DIRECT_ROUNDS } from "./schedule.ts";

/** Frames in a row that did not arrive until that counts: fewer may be chance where some are lost. */
const MISSED_MAX = 6;

export interface DirectTry {
  /** Number of the round that the frame belongs to, and when that was sent. */
  readonly seq: number;
  readonly at: number;
  readonly isFull: boolean;
}

/** What the peer says. Times are those at which this node sent the rounds. */
export interface DirectAnswer {
  /** The last round that it heard. */
  readonly roundAt: number;
  /** The last round of which a direct frame arrived; undefined when there is none, or long ago. */
  readonly directAt: number | undefined;
  /** Whether frames of full size for all arrive. */
  readonly isFull: boolean;
}

export class DirectPath {
  /** Round of the last try. */
  #lastSeq: number | undefined;
  /** Tries that the peer has not told of yet. */
  #open: readonly DirectTry[] = [];
  #missed = 0;
  #hasArrived = false;

  /** `open`: it cannot be told yet. */
  get state(): "open" | "arrives" | "lost" {
    if (this.#missed >= MISSED_MAX) return "lost";
    return this.#hasArrived ? "arrives" : "open";
  }

  get isUntried(): boolean {
    return this.#lastSeq === undefined;
  }

  /** Whether it is tried more often than in its turn. */
  get isDoubtful(): boolean {
    return this.#missed > 0 || !this.#hasArrived;
  }

  /**
   * How urgent it is to try it in round `seq`: the rounds since the last time, and a turn more where
   * there is doubt, so that nobody is left out for good by many doubtful ones. Below `DIRECT_ROUNDS`
   * it is too early.
   */
  urgency(seq: number): number {
    if (this.#open.length >= (this.isDoubtful ? MISSED_MAX : 1)) return 0;
    if (this.#lastSeq === undefined) return Infinity;
    const rounds = (seq - this.#lastSeq) & SEQ_MASK;
    return this.isDoubtful ? rounds + DIRECT_ROUNDS : rounds;
  }

  tried(frame: DirectTry): void {
    this.#lastSeq = frame.seq;
    this.#open = [...this.#open, frame];
  }

  /** The peer knows no more what came: an agent that began anew says nothing of the path. */
  asksAnew(): void {
    this.#open = [];
  }

  answered({ roundAt, directAt = -Infinity, isFull }: DirectAnswer): void {
    const told = this.#open.filter(({ at }) => at <= roundAt);
    this.#open = this.#open.filter(({ at }) => at > roundAt);
    if (told.some(({ at }) => at <= directAt)) {
      this.#missed = 0;
      this.#hasArrived = true;
    }
    // Those of full size were too large for any way there, if others are: the next one is small.
    const lost = told.filter((frame) => frame.at > directAt && (isFull || !frame.isFull));
    this.#missed += lost.length;
  }
}
