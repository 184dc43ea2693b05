/** A link as the kernel reports it (RTM_NEWLINK and RTM_DELLINK messages). */

import { formatMac } from "../base/mac.ts";
import { type BridgeAttrs, decodeBridge } from "./link/bridge.ts";
import { type BridgePortAttrs, decodeBridgePort } from "./link/bridge_port.ts";
import { IFINFO_LENGTH } from "./link/link_base.ts";
import { decodeMacvtap, type MacvtapAttrs } from "./link/macvtap.ts";
import { decodeVxlan, type VxlanAttrs } from "./link/vxlan.ts";
import { readAttrs, readFixed, readText, readU32 } from "./wire/attrs.ts";
import {
  IFF_ALLMULTI,
  IFF_LOWER_UP,
  IFF_NOARP,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINK,
  IFLA_LINK_NETNSID,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
} from "./wire/constants.ts";

/** Attributes of the link's own kind; kinds this product never makes are only named. */
export type InfoAttrs =
  | BridgeAttrs
  | VxlanAttrs
  | MacvtapAttrs
  | { readonly kind: "veth" }
  | { readonly kind: "other"; readonly name: string };

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** Has a carrier. */
  readonly running: boolean;
  readonly arp: boolean;
  readonly allMulticast: boolean;
  readonly mtu: number;
  /** Empty for a link without hardware address. */
  readonly address: string;
  readonly alias?: string;
  /** Index of the bridge it is a port of. */
  readonly master?: number;
  /** Index of the link below or, for a veth, of its other end. */
  readonly link?: number;
  /** Namespace id of `link`, when that is elsewhere. */
  readonly linkNetnsId?: number;
  readonly attrs: InfoAttrs;
  readonly port?: BridgePortAttrs;
}

/** Decodes the payload of an RTM_NEWLINK or RTM_DELLINK message. */
export function decodeLink(payload: Uint8Array): LinkInfo {
  const view = readFixed(payload, IFINFO_LENGTH);
  const flags = view.getUint32(8, true);
  let name = "";
  let mtu = 0;
  let address = "";
  let alias: string | undefined;
  let master: number | undefined;
  let link: number | undefined;
  let linkNetnsId: number | undefined;
  let info: { attrs: InfoAttrs; port?: BridgePortAttrs } = { attrs: { kind: "other", name: "" } };
  for (const { type, value } of readAttrs(payload.subarray(IFINFO_LENGTH))) {
    switch (type) {
      case IFLA_IFNAME:
        name = readText(value);
        break;
      case IFLA_MTU:
        mtu = readU32(value);
        break;
      case IFLA_ADDRESS:
        address = formatMac(value);
        break;
      case IFLA_IFALIAS:
        alias = readText(value);
        break;
      case IFLA_MASTER:
        master = readU32(value);
        break;
      case IFLA_LINK:
        link = readU32(value);
        break;
      case IFLA_LINK_NETNSID:
        linkNetnsId = readU32(value) | 0;
        break;
      case IFLA_LINKINFO:
        info = decodeLinkInfo(value);
        break;
    }
  }
  return {
    index: view.getInt32(4, true),
    name,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0,
    arp: (flags & IFF_NOARP) === 0,
    allMulticast: (flags & IFF_ALLMULTI) !== 0,
    mtu,
    address,
    ...(alias === undefined ? {} : { alias }),
    ...(master === undefined || master === 0 ? {} : { master }),
    ...(link === undefined ? {} : { link }),
    ...(linkNetnsId === undefined ? {} : { linkNetnsId }),
    ...info,
  };
}

function decodeLinkInfo(data: Uint8Array): { attrs: InfoAttrs; port?: BridgePortAttrs } {
  let kind = "";
  let kindData: Uint8Array = new Uint8Array();
  let portKind = "";
  let portData: Uint8Array | undefined;
  for (const { type, value } of readAttrs(data)) {
    if (type === IFLA_INFO_KIND) kind = readText(value);
    else if (type === IFLA_INFO_DATA) kindData = value;
    else if (type === IFLA_INFO_SLAVE_KIND) portKind = readText(value);
    else if (type === IFLA_INFO_SLAVE_DATA) portData = value;
  }
  const attrs = decodeKind(kind, kindData);
  return portKind === "bridge" && portData !== undefined
    ? { attrs, port: decodeBridgePort(portData) }
    : { attrs };
}

function decodeKind(kind: string, data: Uint8Array): InfoAttrs {
  switch (kind) {
    case "bridge":
      return decodeBridge(data);
    case "vxlan":
      return decodeVxlan(data);
    case "macvtap":
      return decodeMacvtap(data);
    case "veth":
      return { kind };
    default:
      return { kind: "other", name: kind };
  }
}
