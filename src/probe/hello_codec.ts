/**
 * Hello frames: what agents tell each other through a LAN's own VXLAN, as bytes. Pure and strict: a
 * frame is taken whole, or not at all.
 *
 *     Ethernet header 14, then, big-endian:
 *      0  "k8sl"                    16  number of the round u32    28  peers u16
 *      4  key of the LAN, 8 bytes   20  next in, ms u32            30  echoes u8
 *     12  version u8, state u8      24  at least, ms u32           31  length of the name u8
 *     14  MTU of the LAN u16        32  name, echoes of 14 bytes each, check of 8 bytes
 *
 *     then, from agents that tell of direct frames: a byte for each echo, check of 8 bytes; padding
 *
 * What stands behind the first check is padding to older agents.
 */

import { hash32, hashBytes } from "../base/hash.ts";
import { parseMac } from "../base/mac.ts";

/** IEEE 802 local experimental 1. */
export const HELLO_ETHERTYPE = 0x88b5;
/** Ethernet header. Bytes. */
export const HEADER_BYTES = 14;
/** Most echoes in a frame: the others' turn is next time. */
export const ECHOES_MAX = 32;
const ECHO_BYTES = 14;
const FIXED_BYTES = 32;
const CHECK_BYTES = 8;
const NAME_MAX = 253;
/** All of a hello but padding fits into this. Bytes. */
export const HELLO_BYTES_MAX = HEADER_BYTES + FIXED_BYTES + NAME_MAX +
  ECHOES_MAX * (ECHO_BYTES + 1) + 2 * CHECK_BYTES;
const MAGIC = 0x6b38736c;
const VERSION = 1;
/** Nobody sends more seldom. */
export const INTERVAL_MAX_MS = 3_600_000;
/** After it the numbers of rounds begin anew. */
export const SEQ_MASK = 0x7fff_ffff;
/** `Echo.sinceDirect` of whoever sent no direct frame that arrived, or so long ago. */
export const NO_DIRECT = 255;
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const STATES = ["running", "pausing", "leaving"] as const;

export interface Hello {
  readonly node: string;
  /** `pausing`: its agent stops, what is attached stays; `leaving`: nothing is attached there now. */
  readonly state: (typeof STATES)[number];
  /** Of the LAN on the sender's node. Bytes. */
  readonly mtu: number;
  /** Number of the round: one more each time, from anywhere. */
  readonly seq: number;
  /** The next round comes within this. Milliseconds. */
  readonly intervalMs: number;
  /** The sender asks others not to be quicker than that. Milliseconds. */
  readonly limitMs: number;
  /** How many peers the sender hears: they are echoed in turn. */
  readonly peers: number;
  readonly echoes: readonly Echo[];
  /** Whether the echoes say which direct frames arrive; agents of older versions do not. */
  readonly tellsDirect: boolean;
}

/** What the sender heard of another node last. */
export interface Echo {
  /** `nodeId()` of the other. */
  readonly peer: number;
  readonly seq: number;
  /** Time from hearing it until now. Microseconds. */
  readonly heldUs: number;
  /** Largest frame of it that arrives, as MTU; 0 while that is not known. */
  readonly mtu: number;
  /** Rounds from the last direct frame of it that arrived to `seq`, or `NO_DIRECT`. */
  readonly sinceDirect: number;
}

/** What frames of one LAN have in common, and nobody knows who does not know its UID. */
export interface LanKey {
  /** The first twelve bytes after the Ethernet header, as three numbers. */
  readonly words: readonly [number, number, number];
  readonly seeds: readonly [number, number];
}

export function lanKey(lanUid: string): LanKey {
  return {
    words: [MAGIC, hash32(lanUid, 0x68656c31), hash32(lanUid, 0x68656c32)],
    seeds: [hash32(lanUid, 0x68656c33), hash32(lanUid, 0x68656c34)],
  };
}

/** How a node stands in echoes. */
export function nodeId(node: string): number {
  return hash32(node);
}

export interface Addresses {
  readonly source: string;
  readonly destination: string;
}

/** The frame without padding. Throws `RangeError` for a name that no node has. */
export function encodeHello(
  hello: Hello,
  key: LanKey,
  { source, destination }: Addresses,
): Uint8Array<ArrayBuffer> {
  const { node, echoes, tellsDirect } = hello;
  if (!isNodeName(node)) throw new RangeError(`"${node}" cannot be the name of a node`);
  const shown = echoes.slice(0, ECHOES_MAX);
  const end = HEADER_BYTES + FIXED_BYTES + node.length + shown.length * ECHO_BYTES;
  const more = end + CHECK_BYTES;
  const frame = new Uint8Array(more + (tellsDirect ? shown.length + CHECK_BYTES : 0));
  const view = new DataView(frame.buffer);
  frame.set(parseMac(destination));
  frame.set(parseMac(source), 6);
  view.setUint16(12, HELLO_ETHERTYPE);
  const body = new DataView(frame.buffer, HEADER_BYTES);
  key.words.forEach((word, at) => body.setUint32(4 * at, word));
  body.setUint8(12, VERSION);
  body.setUint8(13, STATES.indexOf(hello.state));
  body.setUint16(14, hello.mtu);
  body.setUint32(16, hello.seq);
  body.setUint32(20, Math.min(Math.ceil(hello.intervalMs), INTERVAL_MAX_MS));
  body.setUint32(24, Math.min(Math.ceil(hello.limitMs), INTERVAL_MAX_MS));
  body.setUint16(28, Math.min(hello.peers, 0xffff));
  body.setUint8(30, shown.length);
  body.setUint8(31, node.length);
  for (let at = 0; at < node.length; at++) {
    body.setUint8(FIXED_BYTES + at, node.charCodeAt(at));
  }
  shown.forEach((echo, at) => {
    const offset = FIXED_BYTES + node.length + at * ECHO_BYTES;
    body.setUint32(offset, echo.peer);
    body.setUint32(offset + 4, echo.seq);
    body.setUint32(offset + 8, Math.min(Math.max(Math.round(echo.heldUs), 0), 0xffff_ffff));
    body.setUint16(offset + 12, echo.mtu);
  });
  sign(view, HEADER_BYTES, end, key);
  if (tellsDirect) {
    shown.forEach(({ sinceDirect }, at) => view.setUint8(more + at, sinceDirect));
    sign(view, end, more + shown.length, key);
  }
  return frame;
}

/** Writes the check of what stands from `start` to `end` there. */
function sign(view: DataView, start: number, end: number, { seeds }: LanKey): void {
  const said = new Uint8Array(view.buffer, view.byteOffset + start, end - start);
  seeds.forEach((seed, at) => view.setUint32(end + 4 * at, hashBytes(said, seed)));
}

/** Whether that check is there, and right. */
function isSigned(view: DataView, start: number, end: number, { seeds }: LanKey): boolean {
  if (view.byteLength < end + CHECK_BYTES) return false;
  const said = new Uint8Array(view.buffer, view.byteOffset + start, end - start);
  return seeds.every((seed, at) => view.getUint32(end + 4 * at) === hashBytes(said, seed));
}

/** The same hello with `mtu` bytes after its Ethernet header, where it is shorter. */
export function padded(frame: Uint8Array, mtu: number): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(Math.max(frame.length, HEADER_BYTES + mtu));
  longer.set(frame);
  return longer;
}

/** What a frame says; undefined for one that is not a hello of this LAN, or not wholly right. */
export function decodeHello(frame: Uint8Array, key: LanKey): Hello | undefined {
  if (frame.length < HEADER_BYTES + FIXED_BYTES + CHECK_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const body = new DataView(frame.buffer, frame.byteOffset + HEADER_BYTES);
  if (view.getUint16(12) !== HELLO_ETHERTYPE || body.getUint8(12) !== VERSION) return undefined;
  if (!key.words.every((word, at) => body.getUint32(4 * at) === word)) return undefined;
  const state = STATES[body.getUint8(13)];
  const [count, nameLength] = [body.getUint8(30), body.getUint8(31)];
  const end = HEADER_BYTES + FIXED_BYTES + nameLength + count * ECHO_BYTES;
  if (state === undefined || count > ECHOES_MAX) return undefined;
  if (!isSigned(view, HEADER_BYTES, end, key)) return undefined;
  const more = end + CHECK_BYTES;
  const tellsDirect = isSigned(view, end, more + count, key);
  const nameAt = HEADER_BYTES + FIXED_BYTES;
  const node = String.fromCharCode(...frame.subarray(nameAt, nameAt + nameLength));
  const [mtu, seq] = [body.getUint16(14), body.getUint32(16)];
  const [intervalMs, limitMs] = [body.getUint32(20), body.getUint32(24)];
  if (!isNodeName(node) || intervalMs === 0 || intervalMs > INTERVAL_MAX_MS) return undefined;
  if (limitMs > INTERVAL_MAX_MS || mtu === 0) return undefined;
  const echoes = Array.from({ length: count }, (_, at): Echo => {
    const offset = FIXED_BYTES + nameLength + at * ECHO_BYTES;
    return {
      peer: body.getUint32(offset),
      seq: body.getUint32(offset + 4),
      heldUs: body.getUint32(offset + 8),
      mtu: body.getUint16(offset + 12),
      sinceDirect: tellsDirect ? view.getUint8(more + at) : NO_DIRECT,
    };
  });
  const peers = body.getUint16(28);
  return { node, state, mtu, seq, intervalMs, limitMs, peers, echoes, tellsDirect };
}

function isNodeName(text: string): boolean {
  return text.length <= NAME_MAX && NODE_NAME.test(text);
}
