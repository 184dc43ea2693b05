/** Can the underlay carry the LAN? What stands in the way, in words. */

import { textList } from "../base/text_list.ts";
import type { LanSpec } from "../api/lan.ts";
import { INNER_VLAN_TAG, VXLAN6_OVERHEAD } from "../api/names.ts";
import { isIpv6LinkLocal } from "../base/ip.ts";
import { ownVtep, type Peers, sortPeers } from "./vtep.ts";
import type { PlanCondition, Underlay } from "./wanted.ts";

/** Smallest MTU with which Linux runs IPv6 at all (RFC 8200, section 5). Bytes. */
export const IPV6_MIN_MTU = 1280;

/** A LAN on a node, as far as its underlay is concerned. */
export interface UnderlayUse {
  /** `namespace/name` */
  readonly lan: string;
  readonly spec: LanSpec;
  readonly node: string;
  /** Name of the device, if the LAN names one for the node. */
  readonly device: string | undefined;
  /** MTU of the LAN on the node. */
  readonly mtu: number;
  /** Addresses of the other nodes, for a unicast underlay. */
  readonly peers: Peers;
}

/** What the check for duplicates says of an address. */
const CHECKED = {
  tentative: "that is still being checked for duplicates",
  duplicate: "that another host uses too",
} as const;

/** What is wrong with the way to the other nodes, in words a person can act on. */
export function underlayConditions(
  { lan, spec, node, device, mtu, peers }: UnderlayUse,
  underlay: Underlay | undefined,
): PlanCondition[] {
  const who = `LAN "${lan}"`;
  const condition = (reason: string, blocking: boolean, message: string) => [
    { reason, blocking, message },
  ];
  const isUnicast = spec.underlay === "unicast";
  if (isUnicast && peers === "unnamed") {
    return condition(
      "PeersUnnamed",
      true,
      `${who} has a unicast underlay, and nobody tells this agent the other nodes; start it with --peers and a file of their IPv6 addresses`,
    );
  }
  if (device === undefined) {
    return condition(
      "UnderlayNotNamed",
      true,
      `${who} names no underlay device for node "${node}"; add it to spec.vxlanDevMap or set spec.defaultVxlanDev`,
    );
  }
  if (underlay === undefined) {
    return condition(
      "UnderlayMissing",
      true,
      `Underlay device "${device}" of ${who} does not exist on node "${node}"; create it or correct spec.vxlanDevMap`,
    );
  }
  if (underlay.mtu < IPV6_MIN_MTU) {
    return condition(
      "UnderlayMtuTooSmall",
      true,
      `Underlay device "${device}" of ${who} has MTU ${underlay.mtu}; IPv6 needs at least ${IPV6_MIN_MTU}`,
    );
  }
  if (underlay.ipv6 === "off") {
    return condition(
      "Ipv6Off",
      true,
      `Underlay device "${device}" of ${who} has IPv6 switched off on node "${node}"; set net/ipv6/conf/${device}/disable_ipv6=0`,
    );
  }
  if (spec.mtu !== undefined && spec.mtu > underlay.mtu - VXLAN6_OVERHEAD) {
    return condition(
      "MtuTooLarge",
      true,
      `${who} asks for MTU ${spec.mtu}, but underlay device "${device}" of node "${node}" with MTU ${underlay.mtu} carries at most ${
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
  if (isUnicast && ownVtep(underlay) === undefined) {
    const { unusable } = underlay;
    return condition(
      "NoIpv6Source",
      false,
      unusable === undefined
        ? `Underlay device "${device}" of ${who} has no usable IPv6 address on node "${node}", by which other nodes could send to it; give it one`
        : `Underlay device "${device}" of ${who} has an IPv6 address ${
          CHECKED[unusable]
        }; other nodes cannot send to node "${node}" until it has a usable one`,
    );
  }
  if (!isUnicast && underlay.ipv6 !== "usable") {
    const found = underlay.ipv6 === "none"
      ? "no link-local IPv6 address"
      : `a link-local IPv6 address ${CHECKED[underlay.ipv6]}`;
    return condition(
      "NoIpv6Source",
      false,
      `Underlay device "${device}" of ${who} has ${found}; frames to other nodes are lost until it has a usable one`,
    );
  }
  const lost = isUnicast && typeof peers !== "string"
    ? sortPeers(peers, underlay.addresses).outOfReach
    : [];
  if (lost.length > 0) {
    const own = ownVtep(underlay)!;
    const names = textList(lost, { most: 3 });
    return condition(
      "PeersOutOfReach",
      false,
      `${who} cannot send from ${own} on underlay device "${device}" to ${names}: a link-local address reaches link-local ones only; give ${
        isIpv6LinkLocal(own) ? `"${device}" of node "${node}"` : "those nodes"
      } a global or unique local IPv6 address`,
    );
  }
  if (mtu < IPV6_MIN_MTU) {
    return condition(
      "LanMtuSmall",
      false,
      `${who} carries ${mtu} bytes on underlay device "${device}" with MTU ${underlay.mtu}; IPv6 between workloads needs ${IPV6_MIN_MTU}, so raise the underlay's MTU to ${
        IPV6_MIN_MTU + VXLAN6_OVERHEAD + INNER_VLAN_TAG
      }`,
    );
  }
  return [];
}
