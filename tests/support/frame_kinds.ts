/** Frames of every kind that a LAN has to carry untouched. */

import { parseMac } from "../../src/base/mac.ts";
import {
  ARP,
  BROADCAST,
  type Bytes,
  bytes,
  contains,
  ethernet,
  ipv4,
  neighbourSolicitation,
  u16,
} from "./packets.ts";

export interface FrameKind {
  readonly name: string;
  /** A frame from `src`, for `dst` if it is for one station, that holds the eight bytes `mark`. */
  readonly make: (path: FramePath, mark: Bytes) => Bytes;
}

export interface FramePath {
  /** Address of the sender and of the receiver. */
  readonly src: string;
  readonly dst: string;
  /** MTU of the LAN. Bytes. */
  readonly mtu: number;
}

/** LLC of a bridge protocol data unit (IEEE 802.2): spanning tree, unnumbered information. */
const LLC_STP = [0x42, 0x42, 3];
/** For experiments (IEEE 802, 9.2.4). */
const UNKNOWN_TYPE = 0x88b5;
const ETHERNET_PAYLOAD_MIN = 46;
/** 802.1AD service tag. */
const SERVICE_TAG = 0x88a8;

/** Group addresses that bridges keep to themselves (IEEE 802.1Q, table 8-1), less 802.3x pause. */
const RESERVED = Array.from({ length: 16 }, (_, at) => at).filter((at) => at !== 1)
  .map((at) => `01:80:c2:00:00:0${at.toString(16)}`);

export const FRAME_KINDS: readonly FrameKind[] = [
  plain("LLDP", "01:80:c2:00:00:0e", 0x88cc),
  plain("LACP", "01:80:c2:00:00:02", 0x8809),
  plain("EAPOL", "01:80:c2:00:00:03", 0x888e),
  {
    name: "STP",
    make: ({ src }, mark) => {
      const body = bytes(LLC_STP, mark, new Uint8Array(35));
      return ethernet({ dst: "01:80:c2:00:00:00", src, type: body.length }, body);
    },
  },
  ...RESERVED.map((address) => plain(`reserved group ${address}`, address, UNKNOWN_TYPE)),
  {
    name: "IPv6 neighbour solicitation",
    make: ({ src }, mark) =>
      neighbourSolicitation({ mac: src, ip: "fe80::1" }, `2001:db8:${groups(mark)}::42`),
  },
  {
    name: "OSPF hello",
    make: ({ src }, mark) =>
      ipv4(
        { mac: src, ip: "10.9.0.1" },
        { mac: "01:00:5e:00:00:05", ip: "224.0.0.5" },
        89,
        bytes([2, 1], mark, new Uint8Array(38)),
      ),
  },
  {
    name: "VRRP with its virtual router's address",
    make: (_path, mark) =>
      ipv4(
        { mac: "00:00:5e:00:01:2a", ip: "10.9.0.1" },
        { mac: "01:00:5e:00:00:12", ip: "224.0.0.18" },
        112,
        bytes([0x31, 0x2a, 100, 1], mark, new Uint8Array(30)),
      ),
  },
  plain("broadcast", BROADCAST, ARP),
  plain("multicast that nobody joined", "33:33:00:00:12:34", UNKNOWN_TYPE),
  plain("one station, unknown ethertype", "receiver", UNKNOWN_TYPE),
  plain("a station that nobody knows", "02:77:77:77:77:77", UNKNOWN_TYPE),
  sized("as long as the MTU allows", ({ mtu }) => mtu),
  {
    name: "VLAN tag, as long as the MTU allows",
    make: ({ src, dst, mtu }, mark) =>
      ethernet({ src, dst, type: UNKNOWN_TYPE, vlan: 0xe00a }, bytes(mark, filler(mtu - 8))),
  },
  {
    name: "VLAN tag 4094 to all",
    make: ({ src }, mark) =>
      ethernet({ src, dst: BROADCAST, type: UNKNOWN_TYPE, vlan: 4094 }, bytes(mark, filler(38))),
  },
  {
    name: "service tag and VLAN tag",
    make: ({ src, dst }, mark) =>
      ethernet(
        { src, dst, type: SERVICE_TAG },
        bytes(u16(100), [0x81, 0], u16(10), u16(UNKNOWN_TYPE), mark, filler(38)),
      ),
  },
];

function plain(name: string, dst: string, type: number): FrameKind {
  return {
    name,
    make: (path, mark) =>
      ethernet(
        { src: path.src, dst: dst === "receiver" ? path.dst : dst, type },
        bytes(mark, filler(ETHERNET_PAYLOAD_MIN - 8)),
      ),
  };
}

function sized(name: string, size: (path: FramePath) => number): FrameKind {
  return {
    name,
    make: (path, mark) =>
      ethernet(
        { src: path.src, dst: path.dst, type: UNKNOWN_TYPE },
        bytes(mark, filler(size(path) - 8)),
      ),
  };
}

/** Bytes of every value, so that none is changed unseen. */
function filler(length: number): Bytes {
  return Uint8Array.from({ length }, (_, at) => at * 7);
}

function groups(mark: Bytes): string {
  return mark.toHex().match(/.{4}/g)!.join(":");
}

/** One frame of every kind, each with a mark of its own. */
export function oneOfEach(path: FramePath): MarkedFrame[] {
  return FRAME_KINDS.map(({ name, make }) => {
    const mark = newMark();
    return { name, mark, frame: make(path, mark) };
  });
}

export interface MarkedFrame {
  readonly name: string;
  readonly mark: Bytes;
  readonly frame: Bytes;
}

/** Eight bytes that are in no other frame. */
export function newMark(): Bytes {
  return crypto.getRandomValues(new Uint8Array(8));
}

/** The frames that never came, came changed, or more than once, in words; nothing if all is well. */
export function differences(
  sent: readonly MarkedFrame[],
  received: readonly Uint8Array[],
): string[] {
  return sent.flatMap(({ name, mark, frame }) => {
    const found = received.filter((candidate) => contains(candidate, mark));
    if (found.length !== 1) return [`${name}: came ${found.length} times`];
    const hex = found[0]!.toHex();
    return hex === frame.toHex() ? [] : [`${name}: sent ${frame.toHex()}, came as ${hex}`];
  });
}

/** Has every one of `sent` come? */
export function allCame(sent: readonly MarkedFrame[], received: readonly Uint8Array[]): boolean {
  return sent.every(({ mark }) => received.some((frame) => contains(frame, mark)));
}

/** A frame to all that says "everything before me has passed". */
export function sentinel(src: string): MarkedFrame {
  const mark = newMark();
  const header = bytes(parseMac(BROADCAST), parseMac(src), u16(UNKNOWN_TYPE));
  return { name: "sentinel", mark, frame: bytes(header, mark, filler(38)) };
}
