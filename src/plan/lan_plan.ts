/** A LAN and a node → what this node should have of it, attachments aside. */

import { formatIp, multicastScope, parseIp } from "../base/ip.ts";
import type { Lan, LanSpec } from "../api/lan.ts";
import { INNER_VLAN_TAG, VXLAN6_OVERHEAD } from "../api/names.ts";
import { derivedMac } from "./identity.ts";
import { formatMark, markId } from "./mark.ts";
import type {
  PlanCondition,
  Underlay,
  WantedAttachment,
  WantedLan,
  WantedVxlan,
} from "./wanted.ts";

export interface NodeFacts {
  readonly name: string;
  /** Directory of the LANs' namespaces. */
  readonly netnsDir: string;
}

/** Smallest MTU with which Linux runs IPv6 at all (RFC 8200, section 5). */
const IPV6_MIN_MTU = 1280;
/** A link-local group never crosses a router, so 1 is all that its packets need. */
const LINK_LOCAL_HOP_LIMIT = 1;
const ROUTED_HOP_LIMIT = 64;
const LINK_LOCAL_SCOPE = 2;

/** `namespace/name` */
export function lanName(lan: Lan): string {
  return `${lan.metadata.namespace}/${lan.metadata.name}`;
}

/** The device that carries the LAN on this node; undefined when the LAN names none. */
export function underlayName(spec: LanSpec, node: string): string | undefined {
  return spec.vxlanDevMap !== undefined && Object.hasOwn(spec.vxlanDevMap, node)
    ? spec.vxlanDevMap[node]
    : spec.defaultVxlanDev;
}

/** What `node` should have of `lan`. `underlay` is what the kernel says of `underlayName`'s device. */
export function lanPlan(
  lan: Lan,
  node: NodeFacts,
  underlay: Underlay | undefined,
  attachments: readonly WantedAttachment[] = [],
): WantedLan {
  const { spec, metadata: { uid } } = lan;
  const name = lanName(lan);
  const mtu = spec.mtu ?? defaultMtu(underlay);
  const vxlan = underlay === undefined || underlay.mtu < IPV6_MIN_MTU
    ? undefined
    : vxlanPlan(lan, node, underlay, mtu);
  return {
    lan: name,
    uid,
    netns: { path: `${node.netnsDir}/${spec.ns}`, mark: formatMark({ lan: markId(uid), name }) },
    mtu,
    bridge: { name: spec.bridge, address: derivedMac(uid, node.name, "bridge") },
    ...(vxlan === undefined ? {} : { vxlan }),
    attachments,
    conditions: underlayConditions(lan, node, underlay),
  };
}

/** Leaves room for VXLAN over IPv6 and one inner VLAN tag. */
function defaultMtu(underlay: Underlay | undefined): number {
  return (underlay?.mtu ?? 1500) - VXLAN6_OVERHEAD - INNER_VLAN_TAG;
}

function vxlanPlan(lan: Lan, node: NodeFacts, underlay: Underlay, mtu: number): WantedVxlan {
  const { spec, metadata: { uid } } = lan;
  return {
    name: spec.vxlan,
    vni: spec.vni,
    // As the kernel will report it, whatever way it was written.
    group: formatIp(parseIp(spec.vxlanGrp)),
    port: spec.vxlanPort,
    hopLimit: multicastScope(spec.vxlanGrp) <= LINK_LOCAL_SCOPE
      ? LINK_LOCAL_HOP_LIMIT
      : ROUTED_HOP_LIMIT,
    underlay: { name: underlay.name, index: underlay.index },
    // The kernel refuses more than the underlay carries.
    mtu: Math.min(mtu, underlay.mtu - VXLAN6_OVERHEAD),
    address: derivedMac(uid, node.name, "vxlan"),
  };
}

/** What is wrong with the way to the other nodes, in words a person can act on. */
function underlayConditions(
  lan: Lan,
  node: NodeFacts,
  underlay: Underlay | undefined,
): PlanCondition[] {
  const { spec } = lan;
  const device = underlayName(spec, node.name);
  const who = `LAN "${lanName(lan)}"`;
  const condition = (reason: string, blocking: boolean, message: string) => [
    { reason, blocking, message },
  ];
  if (spec.underlay === "unicast") {
    return condition(
      "UnicastUnavailable",
      true,
      `${who} asks for a unicast underlay, which this version cannot carry; use "multicast"`,
    );
  }
  if (device === undefined) {
    return condition(
      "UnderlayNotNamed",
      true,
      `${who} names no underlay device for node "${node.name}"; add it to spec.vxlanDevMap or set spec.defaultVxlanDev`,
    );
  }
  if (underlay === undefined) {
    return condition(
      "UnderlayMissing",
      true,
      `Underlay device "${device}" of ${who} does not exist on node "${node.name}"; create it or correct spec.vxlanDevMap`,
    );
  }
  if (underlay.mtu < IPV6_MIN_MTU) {
    return condition(
      "UnderlayMtuTooSmall",
      true,
      `Underlay device "${device}" of ${who} has MTU ${underlay.mtu}; IPv6 needs at least ${IPV6_MIN_MTU}`,
    );
  }
  if (spec.mtu !== undefined && spec.mtu > underlay.mtu - VXLAN6_OVERHEAD) {
    return condition(
      "MtuTooLarge",
      true,
      `${who} asks for MTU ${spec.mtu}, but underlay device "${device}" of node "${node.name}" with MTU ${underlay.mtu} carries at most ${
        underlay.mtu - VXLAN6_OVERHEAD
      }; raise the underlay's MTU to ${spec.mtu + VXLAN6_OVERHEAD} or lower spec.mtu`,
    );
  }
  if (!underlay.up || !underlay.running) {
    return condition(
      "UnderlayDown",
      false,
      `Underlay device "${device}" of ${who} is ${
        underlay.up ? "without carrier" : "down"
      }; other nodes cannot be reached until it is up`,
    );
  }
  if (underlay.ipv6 !== "usable") {
    const found = {
      none: "has no link-local IPv6 address",
      tentative: "has a link-local IPv6 address that is still being checked for duplicates",
      duplicate: "has a link-local IPv6 address that another host uses too",
    }[underlay.ipv6];
    return condition(
      "NoIpv6Source",
      false,
      `Underlay device "${device}" of ${who} ${found}; frames to other nodes are lost until it has a usable one`,
    );
  }
  return [];
}
