/** What the rest of the program asks of the kernel. The fake in `tests/support` obeys the same tests. */

import type { LinkInfo } from "../netlink/link_info.ts";
import type { ObservedLan } from "../plan/observed.ts";
import type { ForeignVxlan } from "../plan/foreign_vxlan.ts";
import type { NetOp } from "../plan/ops.ts";
import type { Underlay } from "../plan/wanted.ts";
import type { IpConfig, RouteConfig } from "../api/agent_protocol.ts";

/** Which parts of a LAN to look at: reading all of a big node for one attachment would be slow. */
export interface Scope {
  readonly netnsPath: string;
  /** Host ends, by name. */
  readonly hostLinks: readonly string[];
  /** Namespaces of workloads, by path. */
  readonly targets: readonly string[];
}

/** Where a workload was that is elsewhere by now. */
export interface LeftPlace {
  /** Of its interface. */
  readonly mac: string;
  /** Address that VXLANs reach its node by, if that is known; else it is where `mac` leads. */
  readonly vtep?: string;
}

export interface Kernel {
  /** Reads the LAN's namespace and the links named. Changes nothing. */
  observe(scope: Scope): ObservedLan;
  /** One link of the namespace at `path`; undefined when either is not there. */
  linkAt(path: string, name: string): LinkInfo | undefined;
  /** The device as underlay; undefined when it does not exist. */
  underlay(name: string): Underlay | undefined;
  /**
   * Tells other nodes where the LAN's stations on this node are reached now, with frames that no
   * workload sees. Returns how many stations; none where the LAN is not.
   */
  announce(path: string, vxlan: string): number;
  /** VXLANs of others in the host's namespace. */
  foreignVxlans(): ForeignVxlan[];
  /** Why ports cannot be given filters here; undefined if they can. */
  filterProblem(): string | undefined;
  /**
   * Carries the operations out in order, those of one namespace together.
   * Throws at the first that fails; later ones may have been carried out when they travelled with it.
   */
  apply(ops: readonly NetOp[]): Promise<void>;
  /** Puts addresses and routes on an interface of a workload. */
  configure(
    target: string,
    ifname: string,
    ips: readonly IpConfig[],
    routes: readonly RouteConfig[],
  ): void;
  /**
   * Forgets all that the LAN in the namespace at `path` has learned of the node `left`. Frames to
   * what is there go everywhere until it is heard of again; so do those to what has moved away.
   * Returns how many addresses were known there; nothing happens where the LAN is not.
   */
  forgetNode(path: string, vxlan: string, left: LeftPlace): number;
  /**
   * Address of the node that the LAN in the namespace at `path` has learned `mac` from; undefined if
   * it has not, or is not there.
   */
  learnedFrom(path: string, vxlan: string, mac: string): string | undefined;
  /** IPv6 addresses of all devices but link-local ones: what is sent to them comes back to this node. */
  ownAddresses(): ReadonlySet<string>;
  /** Is the device a member of the multicast group? */
  isGroupMember(device: string, group: string): boolean;
  /** Paths of everything in the directory of the LANs' namespaces. */
  netnsPaths(): string[];
  /** Removes a file there that a crash left before a namespace was bound to it, if it is one of ours. */
  removeUnfinished(path: string): void;
  /** Host ends of ours, those of no LAN included. */
  markedHostLinks(): LinkInfo[];
  /** Throws `K8slanError` when `/dev/tap<index>` does not lead to that interface. */
  verifyTap(target: string, ifname: string, index: number): void;
  /**
   * Which namespace `path` leads to: a text that differs for different ones, also for one that comes
   * in place of another; undefined if none. Throws when there is no telling.
   */
  netnsIdentity(path: string): string | undefined;
  /** Is it the host's own namespace? */
  isHostNetns(path: string): boolean;
  /** Id of the namespace in the host's; events carry it. */
  netnsId(path: string): number | undefined;
}
