/** Forwarding tables of bridges and VXLAN devices (rtnetlink(7), RTM_*NEIGH in family AF_BRIDGE). */

import { ENOENT } from "../base/errno.ts";
import { formatIp, parseIp } from "../base/ip.ts";
import { formatMac, parseMac } from "../base/mac.ts";
import { AttrWriter, readAttrs, readFixed, readU32 } from "./wire/attrs.ts";
import {
  AF_BRIDGE,
  NDA_DST,
  NDA_IFINDEX,
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
  /** Index of the device that leads there, in the namespace where the VXLAN was made. */
  readonly via?: number;
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

/** An entry of a VXLAN's own table. */
export interface PeerEntry {
  /** `UNKNOWN_MAC`: for everything the table does not know (head-end replication). */
  readonly mac: string;
  readonly dst: string;
  /**
   * Index of the device that leads there; what a link-local `dst` needs. The kernel looks for it in
   * the VXLAN's namespace, though it is that of a device where the VXLAN was made: some link must
   * have this index in both.
   */
  readonly via?: number;
}

function peerRequest(index: number, { mac, dst, via }: PeerEntry): Uint8Array {
  const writer = new AttrWriter()
    .raw(encodeNdmsg(index, NUD_PERMANENT | NUD_NOARP, NTF_SELF))
    .bytes(NDA_LLADDR, parseMac(mac))
    .bytes(NDA_DST, parseIp(dst));
  if (via !== undefined) writer.u32(NDA_IFINDEX, via);
  return writer.finish();
}

/** `bridge fdb append MAC dev INDEX dst DST [via VIA] self permanent`; once more is no error */
export function appendForwarding(index: number, entry: PeerEntry): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND,
    payload: peerRequest(index, entry),
    summary: `append forwarding entry ${entry.mac} dst ${entry.dst} of link #${index}`,
  };
}

/** `bridge fdb del MAC dev INDEX dst DST [via VIA] self`; fine when there is none */
export function deleteForwarding(index: number, entry: PeerEntry): Request {
  return {
    type: RTM_DELNEIGH,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: peerRequest(index, entry),
    summary: `delete forwarding entry ${entry.mac} dst ${entry.dst} of link #${index}`,
    tolerates: ENOENT,
  };
}

/**
 * `bridge fdb del MAC dev INDEX self|master`: whatever the VXLAN's own table, or that of the bridge
 * above the port, has learned of the address there; fine when there is nothing.
 */
export function forgetForwarding(index: number, mac: string, table: "self" | "master"): Request {
  return {
    type: RTM_DELNEIGH,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: new AttrWriter()
      .raw(encodeNdmsg(index, 0, table === "self" ? NTF_SELF : NTF_MASTER))
      .bytes(NDA_LLADDR, parseMac(mac))
      .finish(),
    summary: `forget where ${mac} is, ${table} link #${index}`,
    tolerates: ENOENT,
  };
}

/** `bridge fdb show [dev INDEX]`; without it those of every link of the namespace. */
export function dumpForwarding(index = 0): Request {
  return {
    type: RTM_GETNEIGH,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: encodeNdmsg(index, 0, 0),
    summary: "list forwarding entries",
  };
}

/** Decodes the payload of an RTM_NEWNEIGH message of family AF_BRIDGE. */
export function decodeForwarding(payload: Uint8Array): ForwardingEntry {
  const view = readFixed(payload, NDMSG_LENGTH);
  const flags = view.getUint8(10);
  let mac = "";
  let dst: string | undefined;
  let via: number | undefined;
  for (const { type, value } of readAttrs(payload.subarray(NDMSG_LENGTH))) {
    if (type === NDA_LLADDR) mac = formatMac(value);
    else if (type === NDA_DST) dst = formatIp(value);
    else if (type === NDA_IFINDEX) via = readU32(value);
  }
  return {
    index: view.getInt32(4, true),
    mac,
    ...(dst === undefined ? {} : { dst }),
    ...(via === undefined ? {} : { via }),
    permanent: (view.getUint16(8, true) & NUD_PERMANENT) !== 0,
    self: (flags & NTF_SELF) !== 0 && (flags & NTF_MASTER) === 0,
  };
}
