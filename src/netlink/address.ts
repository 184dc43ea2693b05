/** IP addresses on links (rtnetlink(7), RTM_*ADDR). */

import { formatIp, parseIp, type Prefix } from "../base/ip.ts";
import { AttrWriter, readAttrs, readFixed, readU32 } from "./wire/attrs.ts";
import {
  AF_INET,
  AF_INET6,
  IFA_ADDRESS,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
  IFA_FLAGS,
  IFA_LOCAL,
  IFA_MULTICAST,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  RTM_GETADDR,
  RTM_GETMULTICAST,
  RTM_NEWADDR,
} from "./wire/constants.ts";
import type { Request } from "./wire/message.ts";

const IFADDR_LENGTH = 8;
const ANY_LINK = 0;

export interface AddressInfo extends Prefix {
  readonly index: number;
  /** Duplicate address detection still runs: the address cannot be used as a source yet. */
  readonly tentative: boolean;
  /** Duplicate address detection found another owner. */
  readonly duplicate: boolean;
  /** Not to be used for anything new: its time is up (RFC 4862), or it was made so by hand. */
  readonly deprecated: boolean;
  /** Made for privacy and given up again before long (RFC 8981). */
  readonly temporary: boolean;
  /** Set by someone, for good, rather than learned from a router. */
  readonly permanent: boolean;
}

/** struct ifaddrmsg: family, prefix length, flags, scope, index. */
function encodeIfaddr(family: number, length: number, index: number): Uint8Array {
  const bytes = new Uint8Array(IFADDR_LENGTH);
  bytes[0] = family;
  bytes[1] = length;
  new DataView(bytes.buffer).setUint32(4, index, true);
  return bytes;
}

/**
 * `ip addr replace ADDRESS/LENGTH dev INDEX nodad`. Duplicate detection is left out because the
 * address was handed out by an IPAM plugin and the workload wants to use it at once.
 */
export function setAddress(index: number, prefix: Prefix): Request {
  const bytes = parseIp(prefix.address);
  const family = bytes.length === 4 ? AF_INET : AF_INET6;
  const writer = new AttrWriter().raw(encodeIfaddr(family, prefix.length, index))
    .bytes(IFA_LOCAL, bytes)
    .bytes(IFA_ADDRESS, bytes);
  if (family === AF_INET6) writer.u32(IFA_FLAGS, IFA_F_NODAD);
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    payload: writer.finish(),
    summary: `set address ${prefix.address}/${prefix.length} on link #${index}`,
  };
}

/**
 * `ip addr show [dev INDEX]` of one family, or of both. A socket without strict checking, hence a
 * kernel before 4.20, answers with those of every link.
 */
export function dumpAddresses(
  family: "ipv4" | "ipv6" | "any" = "any",
  index: number = ANY_LINK,
): Request {
  const code = family === "ipv4" ? AF_INET : family === "ipv6" ? AF_INET6 : 0;
  return {
    type: RTM_GETADDR,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: encodeIfaddr(code, 0, index),
    summary: "list addresses",
  };
}

/** `ip -6 maddr show dev INDEX`; of every link in the same case as `dumpAddresses`. */
export function dumpGroups(index: number): Request {
  return {
    type: RTM_GETMULTICAST,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: encodeIfaddr(AF_INET6, 0, index),
    summary: `list multicast groups of link #${index}`,
  };
}

export interface GroupInfo {
  readonly index: number;
  readonly group: string;
}

/** Decodes the payload of an answer to `dumpGroups`. */
export function decodeGroup(payload: Uint8Array): GroupInfo {
  const index = readFixed(payload, IFADDR_LENGTH).getUint32(4, true);
  for (const { type, value } of readAttrs(payload.subarray(IFADDR_LENGTH))) {
    if (type === IFA_MULTICAST) return { index, group: formatIp(value) };
  }
  return { index, group: "" };
}

/** Decodes the payload of an RTM_NEWADDR or RTM_DELADDR message. */
export function decodeAddress(payload: Uint8Array): AddressInfo {
  const view = readFixed(payload, IFADDR_LENGTH);
  let flags = view.getUint8(2);
  let address = "";
  let local: string | undefined;
  for (const { type, value } of readAttrs(payload.subarray(IFADDR_LENGTH))) {
    if (type === IFA_ADDRESS) address = formatIp(value);
    else if (type === IFA_LOCAL) local = formatIp(value);
    else if (type === IFA_FLAGS) flags = readU32(value);
  }
  return {
    index: view.getUint32(4, true),
    address: local ?? address,
    length: view.getUint8(1),
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    duplicate: (flags & IFA_F_DADFAILED) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
    temporary: view.getUint8(0) === AF_INET6 && (flags & IFA_F_TEMPORARY) !== 0,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
  };
}
