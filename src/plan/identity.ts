/** Names, addresses and indexes that follow from what a thing is, so that they survive everything. */

import { hash32, hashHex } from "../base/hash.ts";

/** First interface index given out: kernels number up from 1 and never come near. */
const FIRST_TAP_INDEX = 2 ** 20;
/** Indexes are positive 32-bit signed numbers. */
const TAP_INDEX_COUNT = 2 ** 31 - 1 - FIRST_TAP_INDEX;

/** Index of the bridge in its own namespace: fixed, so that ports can name it before it is made. */
export const BRIDGE_INDEX = FIRST_TAP_INDEX;
/** Of a VXLAN with peers, so that they can be named before it is made. */
export const VXLAN_INDEX = BRIDGE_INDEX + 1;

/**
 * Interface index N of a spoke's macvtap on a node, hence its `/dev/tapN`.
 *
 * The same for ever, since kubelet replays an old answer without asking again; different for every
 * node, since nodes that share a kernel share /dev. `probe` counts the candidates already refused.
 */
export function tapIndex(node: string, spoke: string, probe: number): number {
  const spread = hash32(`${node}/${spoke}`, probe);
  return FIRST_TAP_INDEX + 1 + spread % (TAP_INDEX_COUNT - 1);
}

/** A locally administered unicast address (second hexadecimal digit 2) that follows from `parts`. */
export function derivedMac(...parts: readonly string[]): string {
  const hex = hashHex(parts.join("/"), 10);
  return `02:${hex.match(/../g)!.join(":")}`;
}

/**
 * The bridge of a LAN has one address on all nodes. Nothing ever sends with it, so a frame to it goes
 * to every node, and there to the bridge itself alone: that is how agents reach each other unseen.
 */
export function bridgeMac(lanUid: string): string {
  return derivedMac(lanUid, "bridge");
}

/** Of a LAN's VXLAN on a node. */
export function vxlanMac(lanUid: string, node: string): string {
  return derivedMac(lanUid, node, "vxlan");
}

/** Bridge port of a spoke inside the LAN's namespace. */
export function portName(spoke: string): string {
  return `${spoke}.b`;
}

/**
 * Bridge port of an attachment that names no spoke. The underscore keeps it apart from every spoke.
 */
export function anonymousPortName(containerId: string, ifname: string): string {
  return `_${hashHex(`${containerId}/${ifname}`, 11)}.b`;
}
