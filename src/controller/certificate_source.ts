/** Where the webhook's certificate comes from: a Secret of ours, or a folder of somebody else's. */

import type { ServingFacts, Validity } from "./cert_facts.ts";
import type { ServingPair } from "./webhook_server.ts";

export interface CertificateSource {
  /** Follows the source until `signal` fires; rejects only by a fault of its own. */
  run(signal: AbortSignal): Promise<void>;
  /** What stands in the way of being called, in words a person can act on. */
  problem(now: number): string | undefined;
  /** Of what is served, and of its authority where that is known. */
  readonly serving: Validity | undefined;
  readonly authority: Validity | undefined;
}

/** Serves with `pair` from now on. */
export type UsePair = (pair: ServingPair) => void;

/** What is wrong with a certificate by the clock. `what` begins a sentence. */
export function validityProblem(
  what: string,
  { notBefore, notAfter }: Validity,
  now: number,
): string | undefined {
  if (now >= notAfter) return `${what} expired on ${new Date(notAfter).toISOString()}`;
  if (now < notBefore) return `${what} is valid from ${new Date(notBefore).toISOString()} only`;
  return undefined;
}

/** Hands on each pair once. */
export class PairChange {
  readonly #use: UsePair;
  #served: ServingFacts | undefined;

  constructor(use: UsePair) {
    this.#use = use;
  }

  /** What is served now; it stays when what follows is no use. */
  get served(): ServingFacts | undefined {
    return this.#served;
  }

  /** Has `facts` served from now on. */
  offer(facts: ServingFacts): void {
    if (facts.pair.certificate !== this.#served?.pair.certificate) this.#use(facts.pair);
    this.#served = facts;
  }
}
