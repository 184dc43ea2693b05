/**
 * Tells other nodes that a LAN's stations are reached by another address of this node than before.
 *
 * They would go on sending to the former one until a station says something, or for five minutes. A
 * frame from each station's address teaches them. It is for the group of 802.3x pause: every VXLAN
 * learns from it, and no bridge passes it on, so that no workload ever sees it.
 */

import { parseMac } from "../base/mac.ts";
import { decodeForwarding, dumpForwarding, type ForwardingEntry } from "../netlink/forwarding.ts";
import { withNetns } from "../sys/netns.ts";
import { sendFrames } from "../sys/send_frames.ts";
import { findLink } from "./observe.ts";
import type { OpenPlace } from "./places.ts";

const PAUSE_GROUP = "01:80:c2:00:00:01";
/** For local experiments (IEEE 802, clause 9): it is no pause. */
const ETHERTYPE = [0x88, 0xb5];
const FRAME_BYTES = 60;

/** Announces what the bridge at `place` has heard of on its other ports; returns how many. */
export function announce(place: OpenPlace, vxlan: string): number {
  const link = findLink(place.client, vxlan);
  if (link?.master === undefined || !link.up) return 0;
  const stations = localStations(
    place.client.dump(dumpForwarding(), decodeForwarding),
    new Set([link.index, link.master]),
  );
  if (stations.length > 0) {
    withNetns(place.netns, () => sendFrames(link.index, stations.map(announcement)));
  }
  return stations.length;
}

/** Addresses that the bridge has learned on ports other than these. */
export function localStations(
  table: readonly ForwardingEntry[],
  others: ReadonlySet<number>,
): string[] {
  const learned = table.filter(({ index, self, permanent }) =>
    !self && !permanent && !others.has(index)
  );
  return [...new Set(learned.map(({ mac }) => mac))];
}

export function announcement(mac: string): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(FRAME_BYTES);
  frame.set(parseMac(PAUSE_GROUP));
  frame.set(parseMac(mac), 6);
  frame.set(ETHERTYPE, 12);
  return frame;
}
