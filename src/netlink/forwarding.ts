/** Forwarding tables of bridges and VXLAN devices (rtnetlink(7), RTM_*NEIGH in family AF_BRIDGE). */

import { formatIp, parseIp } from "../base/ip.ts";
import { formatMac, parseMac } from "../base/mac.ts";
import { AttrWriter, readAttrs, readFixed } from "./wire/attrs.ts";
import {
  AF_BRIDGE,
  NDA_DST,
  NDA_LLADDR,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NTF_MASTER,
  NTF_SELF,
  NUD_NOARP,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from "./wire/constants.ts";
import type { Request } from "./wire/message.ts";

const NDMSG_LENGTH = 12;

export interface ForwardingEntry {
  readonly index: number;
  readonly mac: string;
  /** Address of the VXLAN peer. */
  readonly dst?: string;
  /** Set by someone, not learned. */
  readonly permanent: boolean;
  /** In the table of the device itself (VXLAN) rather than of the bridge above it. */
  readonly self: boolean;
}

/** struct ndmsg: family, pads, index, state, flags, type. */
function encodeNdmsg(index: number, state: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(NDMSG_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, AF_BRIDGE);
  view.setInt32(4, index, true);
  view.setUint16(8, state, true);
  view.setUint8(10, flags);
  return bytes;
}

/** All-zero address: the entry for everything the table does not know (head-end replication). */
export const UNKNOWN_MAC = "00:00:00:00:00:00";

function peerRequest(type: number, flags: number, verb: string) {
  return (index: number, mac: string, dst: string): Request => ({
    type,
    flags: NLM_F_REQUEST | NLM_F_ACK | flags,
    payload: new AttrWriter()
      .raw(encodeNdmsg(index, NUD_PERMANENT | NUD_NOARP, NTF_SELF))
      .bytes(NDA_LLADDR, parseMac(mac))
      .bytes(NDA_DST, parseIp(dst))
      .finish(),
    summary: `${verb} forwarding entry ${mac} dst ${dst} of link #${index}`,
  });
}

/** `bridge fdb append MAC dev INDEX dst DST self permanent` */
export const appendForwarding: (index: number, mac: string, dst: string) => Request = peerRequest(
  RTM_NEWNEIGH,
  NLM_F_CREATE | NLM_F_APPEND,
  "append",
);

/** `bridge fdb del MAC dev INDEX dst DST self` */
export const deleteForwarding: (index: number, mac: string, dst: string) => Request = peerRequest(
  RTM_DELNEIGH,
  0,
  "delete",
);

/** `bridge fdb show` of every link of the namespace. */
export function dumpForwarding(): Request {
  return {
    type: RTM_GETNEIGH,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: encodeNdmsg(0, 0, 0),
    summary: "list forwarding entries",
  };
}

/** Decodes the payload of an RTM_NEWNEIGH message of family AF_BRIDGE. */
export function decodeForwarding(payload: Uint8Array): ForwardingEntry {
  const view = readFixed(payload, NDMSG_LENGTH);
  const flags = view.getUint8(10);
  let mac = "";
  let dst: string | undefined;
  for (const { type, value } of readAttrs(payload.subarray(NDMSG_LENGTH))) {
    if (type === NDA_LLADDR) mac = formatMac(value);
    else if (type === NDA_DST) dst = formatIp(value);
  }
  return {
    index: view.getInt32(4, true),
    mac,
    ...(dst === undefined ? {} : { dst }),
    permanent: (view.getUint16(8, true) & NUD_PERMANENT) !== 0,
    self: (flags & NTF_SELF) !== 0 && (flags & NTF_MASTER) === 0,
  };
}
