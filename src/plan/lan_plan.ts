/** A LAN and a node → what this node should have of it, attachments aside. */

import { formatIp, multicastScope, parseIp } from "../base/ip.ts";
import type { Lan, LanSpec } from "../api/lan.ts";
import { INNER_VLAN_TAG, VXLAN6_OVERHEAD } from "../api/names.ts";
import { bridgeMac, vxlanMac } from "./identity.ts";
import { formatMark, markId } from "./mark.ts";
import { protectionOf } from "./protection.ts";
import { IPV6_MIN_MTU, underlayConditions } from "./underlay_conditions.ts";
import { ownVtep, type Peers, sortPeers } from "./vtep.ts";
import type { Underlay, WantedAttachment, WantedLan, WantedVxlan } from "./wanted.ts";

export interface NodeFacts {
  readonly name: string;
  /** Directory of the LANs' namespaces. */
  readonly netnsDir: string;
}

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

/**
 * What `node` should have of `lan`. `underlay` is what the kernel says of `underlayName`'s device,
 * `peers` are the other nodes of a LAN with a unicast underlay.
 */
export function lanPlan(
  lan: Lan,
  node: NodeFacts,
  underlay: Underlay | undefined,
  attachments: readonly WantedAttachment[] = [],
  peers: Peers = "unnamed",
): WantedLan {
  const { spec, metadata: { uid } } = lan;
  const name = lanName(lan);
  const device = underlayName(spec, node.name);
  const mtu = spec.mtu ?? defaultMtu(underlay);
  const protection = protectionOf(spec);
  const vxlan = underlay === undefined || !runsIpv6(underlay)
    ? undefined
    : vxlanPlan(lan, node, underlay, mtu, peers);
  return {
    lan: name,
    uid,
    netns: { path: `${node.netnsDir}/${spec.ns}`, mark: formatMark({ lan: markId(uid), name }) },
    mtu,
    bridge: { name: spec.bridge, address: bridgeMac(uid) },
    ...(vxlan === undefined ? {} : { vxlan }),
    attachments,
    ...(protection === undefined ? {} : { protection }),
    conditions: underlayConditions(
      { lan: name, spec, node: node.name, device, mtu, peers },
      underlay,
    ),
  };
}

/** Without it the kernel makes no VXLAN. */
function runsIpv6({ mtu, ipv6 }: Underlay): boolean {
  return mtu >= IPV6_MIN_MTU && ipv6 !== "off";
}

/** Leaves room for VXLAN over IPv6 and one inner VLAN tag. */
function defaultMtu(underlay: Underlay | undefined): number {
  return (underlay?.mtu ?? 1500) - VXLAN6_OVERHEAD - INNER_VLAN_TAG;
}

/** Undefined where the LAN needs a source address and the underlay has none. */
function vxlanPlan(
  lan: Lan,
  node: NodeFacts,
  underlay: Underlay,
  mtu: number,
  peers: Peers,
): WantedVxlan | undefined {
  const { spec, metadata: { uid } } = lan;
  const ways = spec.underlay === "unicast" ? unicastWays(underlay, peers) : multicastWays(spec);
  if (ways === undefined) return undefined;
  return {
    name: spec.vxlan,
    vni: spec.vni,
    ...ways,
    port: spec.vxlanPort,
    underlay: { name: underlay.name, index: underlay.index },
    // The kernel refuses more than the underlay carries.
    mtu: Math.min(mtu, underlay.mtu - VXLAN6_OVERHEAD),
    address: vxlanMac(uid, node.name),
  };
}

type Ways = Pick<WantedVxlan, "group" | "local" | "peers" | "hopLimit">;

function multicastWays({ vxlanGrp }: LanSpec): Ways {
  return {
    // As the kernel will report it, whatever way it was written.
    group: formatIp(parseIp(vxlanGrp)),
    hopLimit: multicastScope(vxlanGrp) <= LINK_LOCAL_SCOPE
      ? LINK_LOCAL_HOP_LIMIT
      : ROUTED_HOP_LIMIT,
  };
}

function unicastWays(underlay: Underlay, peers: Peers): Ways | undefined {
  const local = ownVtep(underlay);
  if (local === undefined) return undefined;
  return {
    local,
    ...(typeof peers === "string" ? {} : { peers: sortPeers(peers, underlay.addresses).reachable }),
    hopLimit: ROUTED_HOP_LIMIT,
  };
}
