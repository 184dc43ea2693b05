/** Flags and values that every link has: wanted and observed → one change at most. */

import type { LinkInfo } from "../netlink/link_info.ts";
import type { ChangeLink, NetOp, Place } from "./ops.ts";

/** Adds a change of whatever of `want` differs, if anything does. */
export function changeLink(
  ops: NetOp[],
  at: Place,
  link: LinkInfo,
  want: Pick<ChangeLink, "up" | "arp" | "mtu" | "address" | "alias">,
): void {
  const change = {
    ...(want.up !== undefined && want.up !== link.up ? { up: want.up } : {}),
    ...(want.arp !== undefined && want.arp !== link.arp ? { arp: want.arp } : {}),
    ...(want.mtu !== undefined && want.mtu !== link.mtu ? { mtu: want.mtu } : {}),
    ...(want.address !== undefined && want.address !== link.address
      ? { address: want.address }
      : {}),
    ...(want.alias !== undefined && want.alias !== link.alias ? { alias: want.alias } : {}),
  };
  if (Object.keys(change).length > 0) {
    ops.push({ op: "change-link", at, name: link.name, ...change });
  }
}
