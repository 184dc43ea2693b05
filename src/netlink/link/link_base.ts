/** What every kind of link has in a create message: struct ifinfomsg and the common attributes. */

import { parseMac } from "../../base/mac.ts";
import type { AttrWriter } from "../wire/attrs.ts";
import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_LINK,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_NUM_RX_QUEUES,
  IFLA_NUM_TX_QUEUES,
} from "../wire/constants.ts";

export interface LinkBase {
  readonly name: string;
  /** Interface index to take; the kernel refuses one that is in use (EEXIST). */
  readonly index?: number;
  readonly mtu?: number;
  /** Given in the create, so that udev's MACAddressPolicy leaves it alone (addr_assign_type 3). */
  readonly address?: string;
  /** Index of the link below, in the namespace of the socket. */
  readonly link?: number;
  /** Open network namespace in which the link is to be born. */
  readonly netnsFd?: number;
  /** How many queues it has to send, and as many to receive (`numtxqueues N numrxqueues N`). */
  readonly queues?: number;
  readonly up?: boolean;
}

export const IFINFO_LENGTH = 16;

/** struct ifinfomsg: family, pad, type, index, flags, change mask. */
export function encodeIfinfo(
  info: { readonly index?: number; readonly flags?: number; readonly change?: number },
): Uint8Array {
  const bytes = new Uint8Array(IFINFO_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, info.index ?? 0, true);
  view.setUint32(8, info.flags ?? 0, true);
  view.setUint32(12, info.change ?? 0, true);
  return bytes;
}

export function upFlags(up: boolean | undefined): { flags?: number; change?: number } {
  return up === undefined ? {} : { flags: up ? IFF_UP : 0, change: IFF_UP };
}

export function encodeLinkBase(writer: AttrWriter, link: Omit<LinkBase, "index" | "up">): void {
  writer.text(IFLA_IFNAME, link.name);
  if (link.mtu !== undefined) writer.u32(IFLA_MTU, link.mtu);
  if (link.address !== undefined) writer.bytes(IFLA_ADDRESS, parseMac(link.address));
  if (link.link !== undefined) writer.u32(IFLA_LINK, link.link);
  if (link.queues !== undefined) {
    writer.u32(IFLA_NUM_TX_QUEUES, link.queues).u32(IFLA_NUM_RX_QUEUES, link.queues);
  }
  if (link.netnsFd !== undefined) writer.u32(IFLA_NET_NS_FD, link.netnsFd);
}
