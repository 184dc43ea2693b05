/** Addresses by which nodes reach each other where the underlay carries no multicast. IPv6 only. */

import { formatIp, isIpv6LinkLocal, parseIp } from "../base/ip.ts";
import type { Underlay } from "./wanted.ts";

/**
 * The other nodes' addresses; "unknown" until somebody tells them, "unnamed" where nobody will.
 * Where nothing is known, what is in the kernel stays.
 */
export type Peers = readonly string[] | "unknown" | "unnamed";

/** As the kernel writes it; undefined unless it is an IPv6 address that a node can have. */
export function vtepAddress(text: string): string | undefined {
  try {
    const bytes = parseIp(text);
    if (bytes.length !== 16 || bytes[0] === 0xff) return undefined;
    // ::/96 and ::ffff:0:0/96: none, loopback, and IPv4 in disguise.
    if (bytes.subarray(0, 10).every((byte) => byte === 0)) return undefined;
    return formatIp(bytes);
  } catch {
    return undefined;
  }
}

/** The address by which this node is known to its peers; undefined while it has none. */
export function ownVtep(underlay: Underlay | undefined): string | undefined {
  return underlay?.addresses[0];
}

export interface SortedPeers {
  /** To be sent to, sorted, each once, this node left out. */
  readonly reachable: readonly string[];
  /** Those with a link-local address where this node has another, or the other way round. */
  readonly outOfReach: readonly string[];
}

/** Peers as seen from a node whose own address is the first of `own`. */
export function sortPeers(peers: readonly string[], own: readonly string[]): SortedPeers {
  const others = [...new Set(peers.flatMap((peer) => vtepAddress(peer) ?? []))]
    .filter((peer) => !own.includes(peer)).sort();
  const isLocal = own[0] !== undefined && isIpv6LinkLocal(own[0]);
  return {
    reachable: others.filter((peer) => isIpv6LinkLocal(peer) === isLocal),
    outOfReach: others.filter((peer) => isIpv6LinkLocal(peer) !== isLocal),
  };
}
