/** Which LANs may exist: `ns`, each spoke and `vni` belong to one LAN alone, the oldest that asks. */

import type { Lan } from "../api/lan.ts";

export interface LanRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export type Verdict = { readonly accepted: true } | Conflict;

export interface Conflict {
  readonly accepted: false;
  readonly reason: "Conflict";
  /** The first clash; `uid` where two entries bear the same one. */
  readonly field: "ns" | "vni" | "spoke" | "uid";
  readonly value: string;
  readonly winner: LanRef;
  /** What a person can act on. */
  readonly message: string;
}

type Clash = Pick<Conflict, "field" | "value" | "winner">;

/** Who holds a value, by the value. */
interface Owners {
  readonly ns: Map<string, LanRef>;
  readonly vni: Map<number, LanRef>;
  readonly spoke: Map<string, LanRef>;
}

/**
 * The verdict on each LAN, by its UID.
 *
 * The older creation time wins, then the lesser UID; a LAN that loses occupies nothing, so it
 * takes nothing away from a third. The order of `lans` does not matter. Where several entries
 * share a UID none of them is accepted: nobody could tell which one a verdict is about.
 * Takes time in proportion to the number of all spokes.
 */
export function acceptLans(lans: readonly Lan[]): ReadonlyMap<string, Verdict> {
  const sorted = lans.toSorted(compareAge);
  const owners: Owners = { ns: new Map(), vni: new Map(), spoke: new Map() };
  const verdicts = new Map<string, Verdict>();
  const twins = twinsByUid(sorted);
  for (const lan of sorted) {
    const { uid } = lan.metadata;
    if (verdicts.has(uid)) continue;
    const twin = twins.get(uid);
    const clash: Clash | undefined = twin === undefined
      ? findClash(lan, owners)
      : { field: "uid", value: uid, winner: refOf(twin) };
    if (clash === undefined) occupy(lan, owners);
    verdicts.set(uid, clash === undefined ? { accepted: true } : conflict(clash));
  }
  return verdicts;
}

/** Which of two LANs came first: negative if `a`. Total, so that any order of input sorts alike. */
function compareAge(a: Lan, b: Lan): number {
  return compare(age(a), age(b)) ||
    compare(a.metadata.uid, b.metadata.uid) ||
    compare(a.metadata.namespace, b.metadata.namespace) ||
    compare(a.metadata.name, b.metadata.name);
}

function age({ metadata }: Lan): number {
  const time = Date.parse(metadata.creationTimestamp);
  return Number.isNaN(time) ? Number.MAX_VALUE : time;
}

/** By code units, never by the machine's language: all nodes must agree. */
function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** For each UID that stands more than once, its second entry. */
function twinsByUid(sorted: readonly Lan[]): ReadonlyMap<string, Lan> {
  const seen = new Set<string>();
  const twins = new Map<string, Lan>();
  for (const lan of sorted) {
    const { uid } = lan.metadata;
    if (seen.has(uid) && !twins.has(uid)) twins.set(uid, lan);
    seen.add(uid);
  }
  return twins;
}

function findClash({ spec }: Lan, owners: Owners): Clash | undefined {
  const ns = owners.ns.get(spec.ns);
  if (ns !== undefined) return { field: "ns", value: spec.ns, winner: ns };
  const vni = owners.vni.get(spec.vni);
  if (vni !== undefined) return { field: "vni", value: String(spec.vni), winner: vni };
  for (const spoke of spec.spokes) {
    const winner = owners.spoke.get(spoke);
    if (winner !== undefined) return { field: "spoke", value: spoke, winner };
  }
  return undefined;
}

function occupy(lan: Lan, owners: Owners): void {
  const ref = refOf(lan);
  owners.ns.set(lan.spec.ns, ref);
  owners.vni.set(lan.spec.vni, ref);
  for (const spoke of lan.spec.spokes) owners.spoke.set(spoke, ref);
}

function refOf({ metadata: { namespace, name, uid } }: Lan): LanRef {
  return { namespace, name, uid };
}

function conflict(clash: Clash): Conflict {
  const { field, value, winner } = clash;
  const holder = `LAN "${winner.namespace}/${winner.name}"`;
  const message = field === "uid"
    ? `metadata.uid "${value}" stands a second time, at ${holder}; give each LAN its own, ` +
      "or leave it out of files"
    : `${field} "${value}" belongs to ${holder}, which came first; choose another ${field}, ` +
      "or delete that LAN";
  return { accepted: false, reason: "Conflict", ...clash, message };
}
