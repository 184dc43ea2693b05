/** Attributes of a VXLAN device (RFC 7348; linux/if_link.h, IFLA_VXLAN_*). */

import { formatIp, parseIp } from "../../base/ip.ts";
import { type AttrWriter, readAttrs, readBe16, readU32, readU8 } from "../wire/attrs.ts";
import {
  IFLA_VXLAN_AGEING,
  IFLA_VXLAN_COLLECT_METADATA,
  IFLA_VXLAN_GBP,
  IFLA_VXLAN_GPE,
  IFLA_VXLAN_GROUP,
  IFLA_VXLAN_GROUP6,
  IFLA_VXLAN_ID,
  IFLA_VXLAN_LEARNING,
  IFLA_VXLAN_LINK,
  IFLA_VXLAN_LOCAL6,
  IFLA_VXLAN_PORT,
  IFLA_VXLAN_REMCSUM_NOPARTIAL,
  IFLA_VXLAN_REMCSUM_RX,
  IFLA_VXLAN_TTL,
  IFLA_VXLAN_UDP_ZERO_CSUM6_RX,
  IFLA_VXLAN_VNIFILTER,
} from "../wire/constants.ts";

export interface VxlanAttrs {
  readonly kind: "vxlan";
  readonly vni: number;
  /**
   * Multicast group or sole peer; absent for an IPv4 device that is fed by its forwarding table,
   * `::` for such a device of IPv6 (which takes IPv6 peers only; the kernel reports no group then).
   */
  readonly group?: string;
  /** IPv6 source of what it sends; absent: the kernel's choice. */
  readonly local?: string;
  /** Index of the underlay device in the namespace where the VXLAN was created. */
  readonly underlayIndex?: number;
  /** UDP destination port. */
  readonly port: number;
  /** Hop limit of the outer header; 0 means the kernel's choice. */
  readonly hopLimit: number;
  readonly learning: boolean;
  /** Seconds until a learned peer is forgotten. */
  readonly ageingSeconds: number;
  /** Made with `external`: owns its UDP port for every VNI. Only ever read. */
  readonly external?: boolean;
  /** Made so that it shares its UDP port with no ordinary VXLAN, `external` or not. Only ever read. */
  readonly alone?: boolean;
}

/** What a socket must have in common to be shared (VXLAN_F_RCV_FLAGS), as far as it is a byte. */
const UNSHARED_BYTES: ReadonlySet<number> = new Set([
  IFLA_VXLAN_UDP_ZERO_CSUM6_RX,
  IFLA_VXLAN_REMCSUM_RX,
  IFLA_VXLAN_COLLECT_METADATA,
  IFLA_VXLAN_VNIFILTER,
]);
/** The same, where being there says it. */
const UNSHARED_FLAGS: ReadonlySet<number> = new Set([
  IFLA_VXLAN_GBP,
  IFLA_VXLAN_REMCSUM_NOPARTIAL,
  IFLA_VXLAN_GPE,
]);

/** `… type vxlan id 222 group ff02::14 dev eth1 dstport 4789 ttl 1 ageing 300` */
export function encodeVxlan(writer: AttrWriter, attrs: Omit<VxlanAttrs, "kind">): void {
  writer.u32(IFLA_VXLAN_ID, attrs.vni);
  if (attrs.group !== undefined) {
    const group = parseIp(attrs.group);
    writer.bytes(group.length === 4 ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, group);
  }
  if (attrs.local !== undefined) writer.bytes(IFLA_VXLAN_LOCAL6, parseIp(attrs.local));
  if (attrs.underlayIndex !== undefined) writer.u32(IFLA_VXLAN_LINK, attrs.underlayIndex);
  writer.u8(IFLA_VXLAN_TTL, attrs.hopLimit)
    .u8(IFLA_VXLAN_LEARNING, attrs.learning ? 1 : 0)
    .u32(IFLA_VXLAN_AGEING, attrs.ageingSeconds)
    .be16(IFLA_VXLAN_PORT, attrs.port);
}

export function decodeVxlan(data: Uint8Array): VxlanAttrs {
  let vni = 0;
  let group: string | undefined;
  let local: string | undefined;
  let underlayIndex: number | undefined;
  let port = 0;
  let hopLimit = 0;
  let learning = false;
  let ageingSeconds = 0;
  let external = false;
  let alone = false;
  for (const { type, value } of readAttrs(data)) {
    alone ||= UNSHARED_FLAGS.has(type) || UNSHARED_BYTES.has(type) && readU8(value) !== 0;
    switch (type) {
      case IFLA_VXLAN_ID:
        vni = readU32(value);
        break;
      case IFLA_VXLAN_GROUP:
      case IFLA_VXLAN_GROUP6:
        group = formatIp(value);
        break;
      case IFLA_VXLAN_LOCAL6:
        local = formatIp(value);
        break;
      case IFLA_VXLAN_LINK:
        underlayIndex = readU32(value);
        break;
      case IFLA_VXLAN_PORT:
        port = readBe16(value);
        break;
      case IFLA_VXLAN_TTL:
        hopLimit = readU8(value);
        break;
      case IFLA_VXLAN_LEARNING:
        learning = readU8(value) !== 0;
        break;
      case IFLA_VXLAN_AGEING:
        ageingSeconds = readU32(value);
        break;
      case IFLA_VXLAN_COLLECT_METADATA:
        external = readU8(value) !== 0;
        break;
    }
  }
  return {
    kind: "vxlan",
    vni,
    ...(group === undefined ? {} : { group }),
    ...(local === undefined ? {} : { local }),
    ...(underlayIndex === undefined ? {} : { underlayIndex }),
    port,
    hopLimit,
    learning,
    ageingSeconds,
    ...(external ? { external } : {}),
    ...(alone ? { alone } : {}),
  };
}
