/** Forgets what a LAN has learned of another node: what was there may be elsewhere by now. */

import type { NetlinkClient } from "../netlink/client.ts";
import {
  decodeForwarding,
  dumpForwarding,
  forgetForwarding,
  type ForwardingEntry,
} from "../netlink/forwarding.ts";
import type { LeftPlace } from "./kernel.ts";
import { findLink } from "./observe.ts";

/**
 * Forgets every address that the VXLAN has learned from the node where `left.mac` was, and `left.mac`
 * itself, in the VXLAN's table and in the bridge's. Frames to them go everywhere until they are heard
 * of again. Returns how many. `client` is one of the LAN's namespace; a missing link is fine.
 */
export function forgetNode(client: NetlinkClient, vxlan: string, left: LeftPlace): number {
  const found = tableOf(client, vxlan);
  if (found === undefined) return 0;
  const { index, table } = found;
  const known = forgettable(table, left);
  client.execute([
    ...known.map((mac) => forgetForwarding(index, mac, "self")),
    // The bridge would send nothing back to where it came from, so that a frame to what has moved
    // here would be dropped.
    ...new Set([...known, left.mac]).values().map((mac) => forgetForwarding(index, mac, "master")),
  ]);
  return known.length;
}

/** Where the VXLAN sends what is for `mac`; undefined if it does not know. */
export function learnedFrom(client: NetlinkClient, vxlan: string, mac: string): string | undefined {
  const { table = [] } = tableOf(client, vxlan) ?? {};
  return table.find((entry) => isLearned(entry) && entry.mac === mac)?.dst;
}

function tableOf(client: NetlinkClient, vxlan: string) {
  const link = findLink(client, vxlan);
  if (link === undefined) return undefined;
  const { index } = link;
  const table = client.dump(dumpForwarding(index), decodeForwarding)
    .filter((entry) => entry.index === index);
  return { index, table };
}

/** Addresses that were learned from the node, in the VXLAN's own table. */
export function forgettable(
  table: readonly ForwardingEntry[],
  { mac, vtep }: LeftPlace,
): string[] {
  const learned = table.filter(isLearned);
  const dst = vtep ?? learned.find((entry) => entry.mac === mac)?.dst;
  const there = learned.filter((entry) => entry.dst === dst);
  return [...new Set(there.map((entry) => entry.mac))];
}

function isLearned({ self, permanent, dst }: ForwardingEntry): boolean {
  return self && !permanent && dst !== undefined;
}
