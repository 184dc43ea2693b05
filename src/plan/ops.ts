/** Everything that is ever done to the kernel, as plain data. */

import type { PeerEntry } from "../netlink/forwarding.ts";
import type { PortFilter } from "./protection.ts";
import type { TapOwner } from "./wanted.ts";

/** Where a link lives: the host's namespace, or the one at an absolute path. */
export type Place = typeof HOST | string;
export const HOST = "host";

/** LLDP, LACP, EAPOL, STP and the like pass a port; only 802.3x pause (bit 1) the kernel refuses. */
export const GROUP_FORWARD_MASK = 0xfffd;
/**
 * Queues of either end of a veth. Unasked, the kernel makes one for every processor and then puts all
 * but one to sleep: on a large machine that costs milliseconds and 100 KB for each end.
 */
export const VETH_QUEUES = 1;
/** Seconds after which bridges and VXLANs forget where an address was: the kernel's own default. */
export const AGEING_SECONDS = 300;

/**
 * MTU with which a bridge is born, before it gets its own. A bridge follows the MTU of its smallest
 * port until its own was changed; being born with it does not count.
 */
export const BRIDGE_BIRTH_MTU = 68;

export type NetOp =
  | CreateNetns
  | CreateBridge
  | SetBridge
  | CreateVxlan
  | ChangePeers
  | CreateVeth
  | CreateMacvtap
  | ChangeLink
  | JoinBridge
  | FilterPort
  | UnfilterPort
  | DeleteFilters
  | IsolateHostEnd
  | DisableIpv6
  | OwnTap
  | DeleteLink
  | DeleteNetns;

export interface CreateNetns {
  readonly op: "create-netns";
  readonly path: string;
  readonly mark: string;
}

export interface CreateBridge {
  readonly op: "create-bridge";
  readonly at: Place;
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly address: string;
}

/** Puts the bridge's own settings back: no STP, no snooping, `AGEING_SECONDS`. */
export interface SetBridge {
  readonly op: "set-bridge";
  readonly at: Place;
  readonly name: string;
}

export interface CreateVxlan {
  readonly op: "create-vxlan";
  readonly at: Place;
  readonly name: string;
  readonly index?: number;
  readonly vni: number;
  /** Absent for one with peers; that has a source. */
  readonly group?: string;
  readonly local?: string;
  readonly port: number;
  readonly hopLimit: number;
  /** In the host namespace. */
  readonly underlay: { readonly name: string; readonly index: number };
  readonly mtu: number;
  readonly address: string;
}

/** Changes to which nodes a VXLAN without a group sends what it knows no place of. */
export interface ChangePeers {
  readonly op: "change-peers";
  readonly at: Place;
  readonly name: string;
  /** Of the VXLAN. */
  readonly index: number;
  /** Addresses of nodes. */
  readonly add: readonly string[];
  /** Device that leads to `add`, in the host namespace: link-local addresses need it. */
  readonly via?: { readonly name: string; readonly index: number };
  /** With what was learned of nodes that are peers no more. */
  readonly remove: readonly PeerEntry[];
}

export interface CreateVeth {
  readonly op: "create-veth";
  readonly at: Place;
  readonly name: string;
  readonly index?: number;
  readonly mtu: number;
  readonly address: string;
  readonly peer: {
    readonly at: Place;
    readonly name: string;
    readonly mtu: number;
    readonly address: string;
  };
}

export interface CreateMacvtap {
  readonly op: "create-macvtap";
  readonly at: Place;
  readonly name: string;
  readonly index: number;
  /** In the host namespace. */
  readonly lower: { readonly name: string; readonly index: number };
}

export interface ChangeLink {
  readonly op: "change-link";
  readonly at: Place;
  readonly name: string;
  /** Taken in place of the name where it is given. */
  readonly index?: number;
  readonly up?: boolean;
  readonly arp?: boolean;
  readonly allMulticast?: boolean;
  readonly mtu?: number;
  readonly address?: string;
  readonly alias?: string;
}

/** Makes the link a port of the bridge with index `BRIDGE_INDEX`, and lets link-local frames pass. */
export interface JoinBridge {
  readonly op: "join-bridge";
  readonly at: Place;
  readonly name: string;
  readonly bridge: string;
}

/** Table of nf_tables, family "netdev", in a LAN's namespace: all of what is in it is ours. */
export const FILTER_TABLE = "k8slan";

/** Chain of a bridge port: what it receives, which is what its workload sends. */
export function filterChain(port: string): string {
  return `from-${port}`;
}

/** Gives the port these rules, in one instant. */
export interface FilterPort extends PortFilter {
  readonly op: "filter-port";
  readonly at: Place;
  readonly name: string;
  /** In the place of those that there are; to remove some takes the kernel a while. */
  readonly replaces: boolean;
}

export interface UnfilterPort {
  readonly op: "unfilter-port";
  readonly at: Place;
  readonly name: string;
}

/** Removes the filters of all ports. */
export interface DeleteFilters {
  readonly op: "delete-filters";
  /** Of the LAN's namespace. */
  readonly path: string;
}

/** Keeps the host's own IP stack off the LAN: the host end of a spoke sees its broadcasts. */
export interface IsolateHostEnd {
  readonly op: "isolate-host-end";
  readonly name: string;
}

export interface DisableIpv6 {
  readonly op: "disable-ipv6";
  readonly at: Place;
  readonly name: string;
}

/** Proves that `/dev/tap<index>` leads to this macvtap, then gives it to its owner. */
export interface OwnTap {
  readonly op: "own-tap";
  readonly at: Place;
  readonly name: string;
  readonly index: number;
  readonly owner: TapOwner;
}

export interface DeleteLink {
  readonly op: "delete-link";
  readonly at: Place;
  readonly name: string;
}

export interface DeleteNetns {
  readonly op: "delete-netns";
  readonly path: string;
}
