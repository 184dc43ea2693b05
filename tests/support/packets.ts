/** Frames and packets as bytes, as far as tests have to speak for a machine of their own. */

import { parseIp } from "../../src/base/ip.ts";
import { formatMac, parseMac } from "../../src/base/mac.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export const BROADCAST = "ff:ff:ff:ff:ff:ff";

/** Ethertypes. */
export const IPV4 = 0x0800;
export const ARP = 0x0806;
export const VLAN = 0x8100;
export const IPV6 = 0x86dd;

export function bytes(...parts: readonly (Uint8Array | readonly number[])[]): Bytes {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

export interface Ethernet {
  readonly dst: string;
  readonly src: string;
  readonly type: number;
  /** 802.1Q tag. */
  readonly vlan?: number;
}

export function ethernet({ dst, src, type, vlan }: Ethernet, payload: Uint8Array): Bytes {
  const tag = vlan === undefined ? [] : [...u16(VLAN), ...u16(vlan)];
  return bytes(parseMac(dst), parseMac(src), tag, u16(type), payload);
}

/** The addresses of an untagged frame, and what it carries. */
export function readEthernet(frame: Uint8Array) {
  return {
    dst: formatMac(frame.subarray(0, 6)),
    src: formatMac(frame.subarray(6, 12)),
    type: readU16(frame, 12),
    payload: frame.subarray(14),
  };
}

export function readU16(data: Uint8Array, at: number): number {
  return (data[at]! << 8) | data[at + 1]!;
}

export interface Station {
  readonly mac: string;
  readonly ip: string;
}

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

/** ARP of `sender` for or to `target` (RFC 826). */
export function arp(operation: number, sender: Station, target: Station): Bytes {
  return ethernet(
    { dst: operation === ARP_REQUEST ? BROADCAST : target.mac, src: sender.mac, type: ARP },
    bytes(
      [...u16(1), ...u16(IPV4), 6, 4, ...u16(operation)],
      ...[parseMac(sender.mac), parseIp(sender.ip)],
      ...[operation === ARP_REQUEST ? new Uint8Array(6) : parseMac(target.mac), parseIp(target.ip)],
    ),
  );
}

/** An IPv4 packet in a frame. */
export function ipv4(
  sender: Station,
  target: Station,
  protocol: number,
  payload: Uint8Array,
): Bytes {
  return ipv4Piece(sender, target, protocol, payload, 0);
}

/** An IPv4 packet in frames that carry at most `size` bytes each, a multiple of eight (RFC 791). */
export function ipv4Fragments(
  sender: Station,
  target: Station,
  protocol: number,
  payload: Uint8Array,
  size: number,
): Bytes[] {
  const pieces: Bytes[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const more = at + size < payload.length ? 0x2000 : 0;
    const part = payload.subarray(at, at + size);
    pieces.push(ipv4Piece(sender, target, protocol, part, more | (at / 8)));
  }
  return pieces;
}

function ipv4Piece(
  sender: Station,
  target: Station,
  protocol: number,
  payload: Uint8Array,
  fragment: number,
): Bytes {
  const id = u16(0x4b38);
  const header = bytes(
    [0x45, 0, ...u16(20 + payload.length), ...id, ...u16(fragment), 64, protocol, 0, 0],
    ...[parseIp(sender.ip), parseIp(target.ip)],
  );
  header.set(u16(checksum(header)), 10);
  return ethernet({ dst: target.mac, src: sender.mac, type: IPV4 }, bytes(header, payload));
}

/** An IPv6 packet in a frame. Hop limit 255, as neighbour discovery demands. */
export function ipv6(
  sender: Station,
  target: Station,
  nextHeader: number,
  payload: Uint8Array,
): Bytes {
  const header = [0x60, 0, 0, 0, ...u16(payload.length), nextHeader, 255];
  return ethernet(
    { dst: target.mac, src: sender.mac, type: IPV6 },
    bytes(header, parseIp(sender.ip), parseIp(target.ip), payload),
  );
}

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
export const ECHO_REQUEST = 8;
export const ECHO_REPLY = 0;

/** ICMP (RFC 792). `body` is all after the checksum. */
export function icmp(sender: Station, target: Station, type: number, body: Uint8Array): Bytes {
  const message = bytes([type, 0, 0, 0], body);
  message.set(u16(checksum(message)), 2);
  return ipv4(sender, target, ICMP, message);
}

export const ECHO_REQUEST_V6 = 128;
export const ECHO_REPLY_V6 = 129;
export const MULTICAST_LISTENER_QUERY = 130;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;

/** ICMPv6 (RFC 4443). `body` is all after the checksum. */
export function icmpv6(sender: Station, target: Station, type: number, body: Uint8Array): Bytes {
  const message = bytes([type, 0, 0, 0], body);
  const pseudo = bytes(
    ...[parseIp(sender.ip), parseIp(target.ip)],
    [0, 0, ...u16(message.length), 0, 0, 0, ICMPV6],
  );
  message.set(u16(checksum(bytes(pseudo, message))), 2);
  return ipv6(sender, target, ICMPV6, message);
}

/** Asks for the owner of `ip` at its solicited-node group (RFC 4861, 4.3; RFC 4291, 2.7.1). */
export function neighbourSolicitation(sender: Station, ip: string): Bytes {
  const tail = parseIp(ip).subarray(13);
  const group = { mac: formatMac(bytes([0x33, 0x33, 0xff], tail)), ip: solicitedNode(tail) };
  const source = [1, 1, ...parseMac(sender.mac)];
  return icmpv6(sender, group, NEIGHBOUR_SOLICITATION, bytes([0, 0, 0, 0], parseIp(ip), source));
}

function solicitedNode(tail: Uint8Array): string {
  const hex = (value: number) => value.toString(16);
  return `ff02::1:ff${hex(tail[0]!).padStart(2, "0")}:${hex(readU16(tail, 1))}`;
}

/** Solicited, override (RFC 4861, 4.4). */
export function neighbourAdvertisement(sender: Station, target: Station): Bytes {
  const own = [2, 1, ...parseMac(sender.mac)];
  return icmpv6(
    ...[sender, target] as const,
    NEIGHBOUR_ADVERTISEMENT,
    bytes([0x60, 0, 0, 0], parseIp(sender.ip), own),
  );
}

/** What TCP and UDP reckon with beside their own bytes (RFC 9293, 3.1). */
export function ipv4PseudoHeader(
  sender: string,
  target: string,
  protocol: number,
  length: number,
): Bytes {
  return bytes(parseIp(sender), parseIp(target), [0, protocol, ...u16(length)]);
}

/** The internet checksum (RFC 1071). */
export function checksum(data: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += (data[at]! << 8) | (data[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return sum ^ 0xffff;
}

/** Does `data` contain `part`? */
export function contains(data: Uint8Array, part: Uint8Array): boolean {
  for (let at = data.indexOf(part[0]!); at >= 0; at = data.indexOf(part[0]!, at + 1)) {
    if (part.every((value, offset) => data[at + offset] === value)) return true;
  }
  return false;
}
