/** A veth pair: both ends are described in one create message (linux/veth.h, VETH_INFO_PEER). */

import type { AttrWriter } from "../wire/attrs.ts";
import { VETH_INFO_PEER } from "../wire/constants.ts";
import { encodeIfinfo, encodeLinkBase, type LinkBase } from "./link_base.ts";

export interface VethAttrs {
  readonly kind: "veth";
  /** The other end; it cannot be born up (the kernel answers ENOTCONN). */
  readonly peer: Omit<LinkBase, "up">;
}

/** `… type veth peer name pod1.b address MAC mtu MTU netns NETNS` */
export function encodeVeth(writer: AttrWriter, attrs: Omit<VethAttrs, "kind">): void {
  writer.nested(VETH_INFO_PEER, () => {
    writer.raw(encodeIfinfo({ index: attrs.peer.index ?? 0 }));
    encodeLinkBase(writer, attrs.peer);
  });
}
