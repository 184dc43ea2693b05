/** Whether a server can be reached, learnt from the calls made to it, and when to try again. */

/** Milliseconds: the first pause, doubled after each miss in a row up to `max`. */
export interface Pauses {
  readonly first: number;
  readonly max: number;
}

/** The pause after `failures` earlier failures in a row. */
export function pauseAfter(failures: number, { first, max }: Pauses): number {
  return Math.min(max, first * 2 ** Math.min(failures, 30));
}

export class CallGate {
  readonly #pauses: Pauses;
  #misses = 0;
  #callAt = 0;
  #problem: string | undefined;

  constructor(pauses: Pauses) {
    this.#pauses = pauses;
  }

  /** Nothing was missed since the server was last reached. */
  get isOpen(): boolean {
    return this.#misses === 0;
  }

  /** Time before which no call should be made. */
  get callAt(): number {
    return this.#callAt;
  }

  /** Why the last call did not reach the server, if it did not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Another server, or an answer of whatever kind: there is nothing to wait for. */
  reset(): void {
    this.#misses = 0;
    this.#callAt = 0;
    this.#problem = undefined;
  }

  /** A call came to nothing; of several at the same time only the first makes the pause longer. */
  missed(problem: string, now: number): void {
    this.#problem = problem;
    if (now < this.#callAt) return;
    this.#callAt = now + pauseAfter(this.#misses, this.#pauses);
    this.#misses++;
  }
}
