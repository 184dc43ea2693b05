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
  const link = findLink(client, vxlan);
  if (link === undefined) return 0;
  const { index } = link;
  const table = client.dump(dumpForwarding(index), decodeForwarding)
    .filter((entry) => entry.index === index);
  const known = forgettable(table, left);
  const requests = [
    ...known.map((mac) => forgetForwarding(index, mac, "self")),
    // The bridge would send nothing back to where it came from, so that a frame to what has moved
    // here would be dropped.
    ...new Set([...known, left.mac]).values().map((mac) => forgetForwarding(index, mac, "master")),
  ];
  client.execute(requests);
  return known.length;
}

/** Addresses that were learned from the node, in the VXLAN's own table. */
export function forgettable(
  table: readonly ForwardingEntry[],
  { mac, vtep }: LeftPlace,
): string[] {
  const learned = table.filter(({ self, permanent, dst }) =>
    self && !permanent && dst !== undefined
  );
  const dst = vtep ?? learned.find((entry) => entry.mac === mac)?.dst;
  const there = learned.filter((entry) => entry.dst === dst);
  return [...new Set(there.map((entry) => entry.mac))];
}
