/** Ids by which one namespace knows another (rtnetlink(7), RTM_NEWNSID); events carry them. */

import { AttrWriter, readAttrs, readU32 } from "./wire/attrs.ts";
import {
  NETNSA_FD,
  NETNSA_NSID,
  NLM_F_ACK,
  NLM_F_REQUEST,
  RTM_GETNSID,
  RTM_NEWNSID,
} from "./wire/constants.ts";
import type { Request } from "./wire/message.ts";

/** struct rtgenmsg, padded: only a family, unspecified. */
const RTGENMSG = new Uint8Array(4);

/** `ip netns set NAME auto`: gives the namespace an id here; fails with EEXIST when it has one. */
export function assignNamespaceId(netnsFd: number): Request {
  return {
    type: RTM_NEWNSID,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: new AttrWriter().raw(RTGENMSG).u32(NETNSA_NSID, 0xffff_ffff).u32(NETNSA_FD, netnsFd)
      .finish(),
    summary: "assign a namespace id",
  };
}

/** `ip netns list-id`, for one open namespace. */
export function getNamespaceId(netnsFd: number): Request {
  return {
    type: RTM_GETNSID,
    flags: NLM_F_REQUEST,
    payload: new AttrWriter().raw(RTGENMSG).u32(NETNSA_FD, netnsFd).finish(),
    summary: "get a namespace id",
  };
}

/** The id in an RTM_NEWNSID message; undefined when none is assigned. */
export function decodeNamespaceId(payload: Uint8Array): number | undefined {
  for (const { type, value } of readAttrs(payload.subarray(4))) {
    const id = readU32(value) | 0;
    if (type === NETNSA_NSID && id >= 0) return id;
  }
  return undefined;
}
