/** What should be on a node for one LAN. */

import type { Condition } from "../api/agent_protocol.ts";
import type { Protection } from "./protection.ts";

export interface WantedLan {
  /** `namespace/name`, for messages. */
  readonly lan: string;
  readonly uid: string;
  readonly netns: { readonly path: string; readonly mark: string };
  /** MTU of the bridge, and of attachments that ask for none. Bytes. */
  readonly mtu: number;
  readonly bridge: { readonly name: string; readonly address: string };
  /** Absent while the underlay is: what is there stays as it is. */
  readonly vxlan?: WantedVxlan;
  readonly attachments: readonly WantedAttachment[];
  /** Absent when workloads may send what they like. */
  readonly protection?: Protection;
  /** What stands in the way of new attachments, or merely should be known. */
  readonly conditions: readonly PlanCondition[];
}

export interface PlanCondition extends Condition {
  /** New attachments are refused while it lasts. */
  readonly blocking: boolean;
  /** False where trying again is of no use. */
  readonly retriable?: false;
}

export interface WantedVxlan {
  readonly name: string;
  readonly vni: number;
  /** Multicast group; absent where each peer gets frames of its own. */
  readonly group?: string;
  /** Source of what is sent, by which peers know this node; only without a group. */
  readonly local?: string;
  /** Addresses of the other nodes, sorted; absent with a group, and until somebody has told them. */
  readonly peers?: readonly string[];
  readonly port: number;
  readonly hopLimit: number;
  readonly underlay: { readonly name: string; readonly index: number };
  readonly mtu: number;
  readonly address: string;
}

interface AttachmentBase {
  readonly spoke?: string;
  readonly containerId: string;
  readonly ifname: string;
  /** Bridge port in the LAN's namespace. */
  readonly port: string;
  readonly portAddress: string;
  readonly address: string;
  readonly mtu: number;
  /** Path of the workload's namespace; unknown after the cache was lost: only the port is kept then. */
  readonly target?: string;
}

/** A spoke's pair of links, whatever gets attached to it. */
export interface WantedSpoke {
  readonly spoke: string;
  /** Bridge port in the LAN's namespace. */
  readonly port: string;
  readonly portAddress: string;
  readonly address: string;
  readonly mtu: number;
  /** Index of the spoke in the host's namespace, and of a macvtap on it in the workload's. */
  readonly index: number;
}

/** The spoke stays in the host namespace, a macvtap on it goes into the workload. */
export interface WantedMacvtap extends AttachmentBase, WantedSpoke {
  readonly attach: "macvtap";
  readonly spoke: string;
  readonly owner: TapOwner;
}

/** The far end of the pair is itself the workload's interface. */
export interface WantedVeth extends AttachmentBase {
  readonly attach: "veth";
}

export type WantedAttachment = WantedMacvtap | WantedVeth;

export interface TapOwner {
  readonly uid: number;
  readonly gid: number;
}

/** An underlay device in the host namespace. */
export interface Underlay {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly up: boolean;
  readonly running: boolean;
  /** Link-local IPv6 address, the source of what the VXLAN sends; "off" when IPv6 itself is. */
  readonly ipv6: "usable" | "tentative" | "duplicate" | "none" | "off";
  /** Usable IPv6 addresses, the one to be known by first. */
  readonly addresses: readonly string[];
  /** Why there are not more of them: what the check for duplicates says of others. */
  readonly unusable?: "tentative" | "duplicate";
}
