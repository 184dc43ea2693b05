/** To whom a VXLAN without a group sends: wanted and observed → operations. */

import { isIpv6LinkLocal } from "../base/ip.ts";
import { UNKNOWN_MAC } from "../base/mac.ts";
import type { ForwardingEntry, PeerEntry } from "../netlink/forwarding.ts";
import type { ChangePeers, NetOp, Place } from "./ops.ts";
import type { WantedVxlan } from "./wanted.ts";

/** The VXLAN as it is, or as it is about to be made: with nothing in its table. */
export interface PeersPlace {
  readonly at: Place;
  readonly index: number;
  readonly forwarding: readonly ForwardingEntry[];
}

/**
 * Adds the change that makes the table lead to all peers and to nobody else, if it does not. What was
 * learned of a node goes when the node does; what was learned of one that is not known yet stays.
 */
export function diffPeers(ops: NetOp[], vxlan: WantedVxlan, place: PeersPlace): void {
  const { peers, name } = vxlan;
  if (peers === undefined) return;
  const { at, index } = place;
  const via = peersVia(vxlan);
  const table = place.forwarding.flatMap((entry) => entry.index === index ? peerEntry(entry) : []);
  const floods = table.filter(({ mac }) => mac === UNKNOWN_MAC);
  const isRight = (entry: PeerEntry) => peers.includes(entry.dst) && entry.via === via?.index;
  const present = new Set(floods.filter(isRight).map(({ dst }) => dst));
  const add = peers.filter((peer) => !present.has(peer));
  const wrong = floods.filter((entry) => !isRight(entry));
  const left = new Set(wrong.map(({ dst }) => dst).filter((dst) => !peers.includes(dst)));
  const learned = table.filter(({ mac, dst }) => mac !== UNKNOWN_MAC && left.has(dst));
  if (add.length === 0 && wrong.length === 0) return;
  const change: ChangePeers = {
    ...{ op: "change-peers", at, name, index, add },
    ...(via === undefined ? {} : { via }),
    // Learned ones first: until the last is gone, the node is still seen to be one too many.
    remove: [...learned, ...wrong],
  };
  ops.push(change);
}

/** The device by which peers must be named; undefined where their addresses say enough. */
export function peersVia({ local, underlay }: WantedVxlan): WantedVxlan["underlay"] | undefined {
  return local !== undefined && isIpv6LinkLocal(local) ? underlay : undefined;
}

function peerEntry({ self, mac, dst, via }: ForwardingEntry): PeerEntry[] {
  return self && dst !== undefined ? [{ mac, dst, ...(via === undefined ? {} : { via }) }] : [];
}
