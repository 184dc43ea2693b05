/** What a LAN that is about to be written would share with another one, and must not. */

import type { Lan } from "../api/lan.ts";
import { acceptLans, type Conflict, type LanRef } from "../plan/acceptance.ts";

export interface LanClash {
  readonly field: Conflict["field"];
  readonly value: string;
  /** The LAN that has the value now, and keeps it. */
  readonly holder: LanRef;
  /** Whether the LAN was in conflict before, so that refusing the write would help nobody. */
  readonly isOld: boolean;
}

/**
 * The first clash of `candidate` with one of `others`; `before` is what it was until now.
 *
 * A LAN that is older than others wins over them, so that a spoke added to it would take away
 * theirs, whatever is attached there: that, too, is a clash here.
 */
export function findLanClash(
  candidate: Lan,
  before: Lan | undefined,
  others: readonly Lan[],
): LanClash | undefined {
  const rest = others.filter((other) => !isSameLan(other, candidate));
  const verdictsBefore = acceptLans(before === undefined ? rest : [...rest, before]);
  const verdicts = acceptLans([...rest, candidate]);
  const own = verdicts.get(candidate.metadata.uid);
  if (own?.accepted === false) {
    const isOld = before !== undefined &&
      verdictsBefore.get(before.metadata.uid)?.accepted === false;
    return { field: own.field, value: own.value, holder: own.winner, isOld };
  }
  for (const { metadata: { uid, namespace, name } } of rest) {
    const verdict = verdicts.get(uid);
    if (verdict?.accepted !== false || !verdictsBefore.get(uid)?.accepted) continue;
    const { field, value } = verdict;
    return { field, value, holder: { namespace, name, uid }, isOld: false };
  }
  return undefined;
}

/** By name as well: what has that name and is still known is gone, or it could not be created. */
function isSameLan({ metadata: one }: Lan, { metadata: other }: Lan): boolean {
  return one.uid === other.uid || (one.name === other.name && one.namespace === other.namespace);
}
