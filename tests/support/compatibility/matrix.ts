/** What is tried: who is attached and how, what is sent, and which way it goes. */

import { formatIp } from "../../../src/base/ip.ts";
import { formatMac } from "../../../src/base/mac.ts";
import { FRAME_KINDS, type FramePath, newMark } from "../frame_kinds.ts";
import {
  arp,
  ARP_REPLY,
  ARP_REQUEST,
  BROADCAST,
  type Bytes,
  bytes,
  ECHO_REQUEST,
  ethernet,
  icmp,
  neighbourAdvertisement,
  neighbourSolicitation,
} from "../packets.ts";

/** Leaves room for jumbo frames between workloads. Bytes. */
export const UNDERLAY_MTU = 9000;
/** Less VXLAN over IPv6, and one VLAN tag. Bytes. */
export const LAN_MTU = UNDERLAY_MTU - 74;

export const SUBJECTS = {
  tapPod: { title: "macvtap, pod", attach: "macvtap" },
  tapVm: { title: "macvtap, VM on its tap", attach: "macvtap" },
  vethPod: { title: "veth, pod", attach: "veth" },
  vethVm: { title: "veth, VM behind a bridge", attach: "veth" },
} as const;

export const PATHS = {
  near: "On one node",
  multicast: "Between nodes, `underlay: multicast`",
  unicast: "Between nodes, `underlay: unicast`",
} as const;

export type SubjectId = keyof typeof SUBJECTS;
export type PathId = keyof typeof PATHS;

/** What became of frames: of both directions, where only one of them differs it is named. */
export type Outcome =
  | "works"
  /** The subject's frames arrive, but it gets none. */
  | "sends only"
  | "receives only"
  | "lost"
  /** Its own network stack says no (EMSGSIZE). */
  | "refused"
  /** The other one says no; what the subject sends is lost. */
  | "lost, or refused";

export interface Traffic {
  readonly title: string;
  /** From one station to another; `works` when each of them arrives once and unchanged. */
  readonly frames: (path: FramePath) => Bytes[];
  /** What makes it work, if it does not by itself. */
  readonly oversize?: true;
}

const UNKNOWN_TYPE = 0x88b5;
const MANY = 256;

export const TRAFFIC = {
  ipv4: {
    title: "ARP, IPv4",
    frames: ({ src, dst }) => {
      const [own, other] = [{ mac: src, ip: ipv4() }, { mac: dst, ip: ipv4() }];
      return [
        arp(ARP_REQUEST, own, other),
        arp(ARP_REPLY, own, other),
        icmp(own, other, ECHO_REQUEST, newMark()),
      ];
    },
  },
  ipv6: {
    title: "IPv6 neighbour discovery",
    frames: ({ src, dst }) => {
      const [own, other] = [{ mac: src, ip: ipv6() }, { mac: dst, ip: ipv6() }];
      return [neighbourSolicitation(own, other.ip), neighbourAdvertisement(own, other)];
    },
  },
  multicast: {
    title: "Multicast that nobody asked for (OSPF, VRRP, unknown groups)",
    frames: ofKinds(/^OSPF|^VRRP|^multicast/),
  },
  lldp: { title: "LLDP", frames: ofKinds(/^LLDP$/) },
  lacp: { title: "LACP", frames: ofKinds(/^LACP$/) },
  eapol: { title: "EAPOL (802.1X)", frames: ofKinds(/^EAPOL$/) },
  stp: { title: "STP", frames: ofKinds(/^STP$/) },
  vlan: {
    title: "VLAN tags, one or two (802.1Q, 802.1AD)",
    frames: ofKinds(/tag 4094|^service tag/),
  },
  ethertype: { title: "Unknown ethertypes", frames: ofKinds(/ethertype/) },
  manyMacs: {
    title: `${MANY} addresses of one station`,
    frames: ({ dst }) =>
      Array.from({ length: MANY }, (_, at) => {
        const src = formatMac(bytes([2, 0x55], crypto.getRandomValues(new Uint8Array(3)), [at]));
        return ethernet({ src, dst, type: UNKNOWN_TYPE }, bytes(newMark(), filler(38)));
      }),
  },
  jumbo: {
    title: `Jumbo: the LAN's whole MTU (${LAN_MTU}), and a VLAN tag more`,
    frames: ofKinds(/as long as the MTU/),
  },
  oversize: {
    title: "One byte more than the MTU",
    frames: ({ src, mtu }) => [
      ethernet({ src, dst: BROADCAST, type: UNKNOWN_TYPE }, bytes(newMark(), filler(mtu - 7))),
    ],
  },
} as const satisfies Readonly<Record<string, Traffic>>;

export type TrafficId = keyof typeof TRAFFIC;

export interface Cell {
  readonly subject: SubjectId;
  readonly traffic: TrafficId;
  readonly path: PathId;
}

/** Of everything, in the order of the document. */
export function allCells(): Cell[] {
  return keys(PATHS).flatMap((path) =>
    keys(TRAFFIC).flatMap((traffic) =>
      keys(SUBJECTS).map((subject) => ({ subject, traffic, path }))
    )
  );
}

export function keys<T extends object>(record: T): (keyof T & string)[] {
  const found: (keyof T & string)[] = [];
  for (const key in record) found.push(key);
  return found;
}

function ofKinds(pattern: RegExp): (path: FramePath) => Bytes[] {
  const kinds = FRAME_KINDS.filter(({ name }) => pattern.test(name));
  if (kinds.length === 0) throw new Error(`No kind of frame matches ${pattern}`);
  return (path) => kinds.map(({ make }) => make(path, newMark()));
}

function filler(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => at * 7);
}

function ipv4(): string {
  return formatIp(bytes([10], crypto.getRandomValues(new Uint8Array(3))));
}

function ipv6(): string {
  return formatIp(bytes([0x20, 1, 0xd, 0xb8], crypto.getRandomValues(new Uint8Array(12))));
}
