/** Requests that make, change, remove and list links (rtnetlink(7), RTM_*LINK). Building is pure. */

import { parseMac } from "../base/mac.ts";
import { type BridgeAttrs, encodeBridge } from "./link/bridge.ts";
import { type BridgePortAttrs, encodeBridgePort } from "./link/bridge_port.ts";
import { encodeIfinfo, encodeLinkBase, type LinkBase, upFlags } from "./link/link_base.ts";
import { encodeMacvtap, type MacvtapAttrs } from "./link/macvtap.ts";
import { encodeVeth, type VethAttrs } from "./link/veth.ts";
import { encodeVxlan, type VxlanAttrs } from "./link/vxlan.ts";
import { AttrWriter } from "./wire/attrs.ts";
import {
  IFF_ALLMULTI,
  IFF_NOARP,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_EXT_MASK,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  RTEXT_FILTER_SKIP_STATS,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "./wire/constants.ts";
import type { Request } from "./wire/message.ts";

export type CreateAttrs = BridgeAttrs | VxlanAttrs | VethAttrs | MacvtapAttrs;

export interface LinkCreate extends LinkBase {
  readonly attrs: CreateAttrs;
}

/** A link named by its index or its name. */
export type LinkRef = { readonly index: number } | { readonly name: string };

export interface LinkChange {
  readonly up?: boolean;
  /** False sets IFF_NOARP: the host neither asks nor answers ARP on the link. */
  readonly arp?: boolean;
  readonly allMulticast?: boolean;
  readonly mtu?: number;
  readonly address?: string;
  /** Index of the bridge to join; 0 leaves it. */
  readonly master?: number;
  readonly alias?: string;
}

/** `ip link add NAME … type KIND …`; fails with EEXIST when the name or index is taken. */
export function createLink(link: LinkCreate): Request {
  const writer = new AttrWriter()
    .raw(encodeIfinfo({ ...(link.index ? { index: link.index } : {}), ...upFlags(link.up) }));
  encodeLinkBase(writer, link);
  const { attrs } = link;
  writer.nested(IFLA_LINKINFO, () => {
    writer.text(IFLA_INFO_KIND, attrs.kind).nested(IFLA_INFO_DATA, () => {
      switch (attrs.kind) {
        case "bridge":
          return encodeBridge(writer, attrs);
        case "vxlan":
          return encodeVxlan(writer, attrs);
        case "veth":
          return encodeVeth(writer, attrs);
        case "macvtap":
          return encodeMacvtap(writer, attrs);
      }
    });
  });
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    payload: writer.finish(),
    summary: `create ${attrs.kind} "${link.name}"`,
  };
}

/** `ip link set NAME [up|down] [arp off] [allmulticast on] [mtu N] [address MAC] [master M] [alias A]` */
export function changeLink(ref: LinkRef, change: LinkChange): Request {
  let flags = 0;
  let mask = 0;
  const flag = (bit: number, on: boolean | undefined) => {
    if (on === undefined) return;
    mask |= bit;
    if (on) flags |= bit;
  };
  flag(IFF_UP, change.up);
  flag(IFF_NOARP, change.arp === undefined ? undefined : !change.arp);
  flag(IFF_ALLMULTI, change.allMulticast);
  const writer = refWriter(ref, flags, mask);
  if (change.mtu !== undefined) writer.u32(IFLA_MTU, change.mtu);
  if (change.address !== undefined) writer.bytes(IFLA_ADDRESS, parseMac(change.address));
  if (change.master !== undefined) writer.u32(IFLA_MASTER, change.master);
  if (change.alias !== undefined) {
    // Without the NUL: the kernel takes the attribute's length as the alias' length.
    writer.bytes(IFLA_IFALIAS, new TextEncoder().encode(change.alias));
  }
  return changeRequest(writer, `change ${Object.keys(change).join(", ")} of ${refText(ref)}`);
}

/** `ip link set NAME type bridge_slave group_fwd_mask MASK`; the link must be a port already. */
export function changeBridgePort(ref: LinkRef, attrs: BridgePortAttrs): Request {
  const writer = refWriter(ref).nested(IFLA_LINKINFO, (inner) => {
    inner.text(IFLA_INFO_SLAVE_KIND, "bridge")
      .nested(IFLA_INFO_SLAVE_DATA, () => encodeBridgePort(inner, attrs));
  });
  return changeRequest(writer, `change bridge port ${refText(ref)}`);
}

/** `ip link set NAME type bridge …` */
export function changeBridge(ref: LinkRef, attrs: Omit<BridgeAttrs, "kind">): Request {
  const writer = refWriter(ref).nested(IFLA_LINKINFO, (inner) => {
    inner.text(IFLA_INFO_KIND, "bridge")
      .nested(IFLA_INFO_DATA, () => encodeBridge(inner, attrs));
  });
  return changeRequest(writer, `change bridge ${refText(ref)}`);
}

/** `ip link del NAME` */
export function deleteLink(ref: LinkRef): Request {
  return {
    type: RTM_DELLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: refWriter(ref).finish(),
    summary: `delete link ${refText(ref)}`,
  };
}

/** `ip -d link show NAME`, without statistics. */
export function getLink(ref: LinkRef): Request {
  const writer = refWriter(ref).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return {
    type: RTM_GETLINK,
    flags: NLM_F_REQUEST,
    payload: writer.finish(),
    summary: `get link ${refText(ref)}`,
  };
}

/**
 * `ip -d link show`, without statistics; of one kind (`… type vxlan`) when it is named. A kernel
 * that has not loaded that kind leaves the filter out and answers with every link.
 */
export function dumpLinks(kind?: string): Request {
  const writer = new AttrWriter().raw(encodeIfinfo({})).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (kind !== undefined) {
    writer.nested(IFLA_LINKINFO, (inner) => inner.text(IFLA_INFO_KIND, kind));
  }
  return {
    type: RTM_GETLINK,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: writer.finish(),
    summary: kind === undefined ? "list links" : `list ${kind} links`,
  };
}

function refWriter(ref: LinkRef, flags = 0, change = 0): AttrWriter {
  const writer = new AttrWriter();
  if ("index" in ref) return writer.raw(encodeIfinfo({ index: ref.index, flags, change }));
  return writer.raw(encodeIfinfo({ flags, change })).text(IFLA_IFNAME, ref.name);
}

function refText(ref: LinkRef): string {
  return "index" in ref ? `#${ref.index}` : `"${ref.name}"`;
}

function changeRequest(writer: AttrWriter, summary: string): Request {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: writer.finish(),
    summary,
  };
}
