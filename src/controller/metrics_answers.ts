/** How often a webhook came to which answer, and how long it took. */

import { Counter, Histogram, type Registry } from "prom-client";

/** The API server waits 3 s for an answer at most. */
const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 3];

export interface AnswerFiguresOptions<Kind extends string> {
  /** What the names begin with. */
  readonly prefix: string;
  /** Continues "Answers of". */
  readonly of: string;
  /** All that can lead to an answer; those that did not happen are 0 rather than absent. */
  readonly kinds: readonly (Kind | "error")[];
}

export class AnswerFigures<Kind extends string> {
  readonly #decisions: Counter<"decision">;
  readonly #seconds: Histogram;

  constructor(registry: Registry, { prefix, of, kinds }: AnswerFiguresOptions<Kind>) {
    this.#decisions = new Counter({
      name: `${prefix}_decisions_total`,
      help: `Answers of ${of}; error: a request that was none`,
      labelNames: ["decision"],
      registers: [registry],
    });
    for (const decision of kinds) this.#decisions.inc({ decision }, 0);
    this.#seconds = new Histogram({
      name: `${prefix}_seconds`,
      help: `Time from a request of ${of} to its answer`,
      buckets: SECONDS,
      registers: [registry],
    });
  }

  answered(decision: Kind | "error", seconds: number): void {
    this.#decisions.inc({ decision });
    this.#seconds.observe(seconds);
  }
}
