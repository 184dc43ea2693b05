/** Netlink messages: a 16-byte header and a payload (linux/netlink.h, struct nlmsghdr). */

import { EBADMSG } from "../../base/errno.ts";
import { align4, readAttrs, readFixed, readText, readU32 } from "./attrs.ts";
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_ERROR,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
} from "./constants.ts";

const HEADER = 16;

/** What is asked of the kernel, before it has a sequence number. */
export interface Request {
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  /** What it does, in words, for errors: `create vxlan "vx2"`. */
  readonly summary: string;
  /** Error number that is as good as success: what is to be removed has gone already. */
  readonly tolerates?: number;
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** The bytes of several messages behind each other, numbered from `firstSequence`. */
export function encodeMessages(
  messages: readonly Omit<Request, "summary">[],
  firstSequence: number,
): Uint8Array {
  const total = messages.reduce((sum, { payload }) => sum + HEADER + align4(payload.length), 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let at = 0;
  messages.forEach(({ type, flags, payload }, index) => {
    view.setUint32(at, HEADER + payload.length, true);
    view.setUint16(at + 4, type, true);
    view.setUint16(at + 6, flags, true);
    view.setUint32(at + 8, (firstSequence + index) >>> 0, true);
    bytes.set(payload, at + HEADER);
    at += HEADER + align4(payload.length);
  });
  return bytes;
}

/** The messages in one received datagram. */
export function* decodeMessages(bytes: Uint8Array): Generator<Message> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > bytes.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + HEADER, at + length),
    };
    at += align4(length);
  }
}

/** The outcome of a request (struct nlmsgerr with extended ack attributes). */
export interface Acknowledgement {
  /** Zero, or the positive errno. */
  readonly errno: number;
  /** The kernel's own words. */
  readonly text?: string;
  /** Where in the request the offending attribute stands, bytes from its start. */
  readonly offset?: number;
}

/**
 * Decodes the payload of an NLMSG_ERROR message, or of the NLMSG_DONE that ends a dump: the same,
 * without the echoed request. One cut short is a failure (EBADMSG): it must not pass for success.
 */
export function decodeAcknowledgement(message: Message): Acknowledgement {
  const { type, flags, payload } = message;
  if (payload.length < 4) return { errno: EBADMSG };
  const view = readFixed(payload, 8);
  // Not `-x`, which would make -0 of 0.
  const errno = 0 - view.getInt32(0, true);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  let attrsAt = 4;
  if (type === NLMSG_ERROR) {
    attrsAt += (flags & NLM_F_CAPPED) !== 0 ? HEADER : align4(view.getUint32(4, true));
  }
  let text: string | undefined;
  let offset: number | undefined;
  for (const attr of readAttrs(payload.subarray(attrsAt))) {
    if (attr.type === NLMSGERR_ATTR_MSG) text = readText(attr.value);
    if (attr.type === NLMSGERR_ATTR_OFFS) offset = readU32(attr.value);
  }
  return {
    errno,
    ...(text === undefined ? {} : { text }),
    ...(offset === undefined ? {} : { offset }),
  };
}
