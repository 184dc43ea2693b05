/** Whether the controller works, for whoever restarts it or sends it requests. */

import type { CertificateSource } from "./certificate_source.ts";
import type { ControllerFacts } from "./facts.ts";

/** What the parts that serve others tell of themselves. */
export interface ServerState {
  /** Tasks that should run until the end and don't: what ended them. */
  readonly ended: readonly string[];
  readonly certificate: Pick<CertificateSource, "problem">;
}

/**
 * What only a restart can cure. An API server that is away is no such thing: what is known stays
 * true, and the watches go on by themselves.
 */
export function healthProblems({ ended }: Pick<ServerState, "ended">): string[] {
  return [...ended];
}

/** Why requests had better go to another replica; `now` in milliseconds since 1970. */
export function readyProblems(
  facts: Pick<ControllerFacts, "isSynced">,
  { ended, certificate }: ServerState,
  now: number,
): string[] {
  const problem = certificate.problem(now);
  return [
    ...ended,
    ...(facts.isSynced() ? [] : ["Not everything has been read from the API server yet"]),
    ...(problem === undefined ? [] : [problem]),
  ];
}
