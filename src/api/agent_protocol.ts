/**
 * What is said over the agent's unix socket: one JSON object per line, each answered by one line.
 * Types only, so that the CNI plugin, which forwards most of it unread, loads no schema library.
 */

/** Who an interface belongs to, in CNI's terms. */
export interface AttachmentKey {
  readonly containerId: string;
  readonly ifname: string;
}

/** Create the interface (CNI ADD up to, but without, IP addresses). Answered by `AttachResult`. */
export interface AddRequest extends AttachmentKey {
  readonly op: "add";
  /** Path of the workload's network namespace. */
  readonly netns: string;
  /** CNI_ARGS, as given. */
  readonly args?: string;
  /** The CNI network configuration, as given. */
  readonly config: unknown;
}

/** Remove the interface (CNI DEL). Always succeeds when nothing is left of it. */
export interface DelRequest extends AttachmentKey {
  readonly op: "del";
  readonly netns?: string;
}

/** Compare the interface with what ADD made (CNI CHECK). */
export interface CheckRequest extends AttachmentKey {
  readonly op: "check";
  readonly netns: string;
  readonly args?: string;
  readonly config: unknown;
}

/** Put the addresses and routes that an IPAM plugin handed out on the interface. */
export interface ConfigureRequest extends AttachmentKey {
  readonly op: "configure";
  readonly netns: string;
  readonly ips: readonly IpConfig[];
  readonly routes: readonly RouteConfig[];
}

export interface IpConfig {
  /** CIDR, e.g. `192.0.2.7/24`. */
  readonly address: string;
  readonly gateway?: string;
}

export interface RouteConfig {
  /** CIDR. */
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly priority?: number;
}

/** Remove every attachment of this network that is not listed (CNI GC). */
export interface GcRequest {
  readonly op: "gc";
  /** `name` of the network configuration. */
  readonly network: string;
  readonly valid: readonly AttachmentKey[];
}

/** Is the agent able to attach (CNI STATUS)? */
export interface ReadyRequest {
  readonly op: "ready";
}

/** Everything `k8slan status` shows. Answered by `NodeView`. */
export interface ViewRequest {
  readonly op: "view";
}

export type AgentRequest =
  | AddRequest
  | DelRequest
  | CheckRequest
  | ConfigureRequest
  | GcRequest
  | ReadyRequest
  | ViewRequest;

/** The answer line. `error` has CNI's form, its codes included. */
export type AgentAnswer<T = unknown> =
  | { readonly ok: true; readonly result: T }
  | { readonly ok: false; readonly error: AgentFailure };

export interface AgentFailure {
  /** CNI error code: 1..99 as in the specification, 100 and up are ours. */
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** What ADD made, read back from the kernel. */
export interface AttachResult {
  readonly ifname: string;
  readonly netns: string;
  readonly mac: string;
  readonly mtu: number;
  readonly lan: string;
  readonly spoke?: string;
  readonly attach: AttachKind;
  /** `/dev/tap<N>` of a macvtap. */
  readonly tap?: string;
}

export type AttachKind = "macvtap" | "veth";

/** Something a person should know about a LAN on this node. */
export interface Condition {
  /** CamelCase, e.g. `UnderlayMissing`. */
  readonly reason: string;
  readonly message: string;
}

export interface LanView {
  /** `namespace/name`. */
  readonly lan: string;
  readonly uid: string;
  readonly vni: number;
  readonly netns: string;
  readonly spokes: readonly string[];
  /** `Idle`: nothing attached here, so nothing built. `Rejected`: not accepted, built nowhere. `Orphaned`: no longer configured, kept for what is still attached. */
  readonly state: "Active" | "Idle" | "Degraded" | "Rejected" | "Orphaned";
  readonly underlay?: string;
  readonly mtu?: number;
  /** None from agents older than it, and while nothing is attached. */
  readonly probe?: ProbeView;
  readonly conditions: readonly Condition[];
  readonly links: readonly LinkView[];
}

/** What hello frames through the LAN say of other nodes. */
export interface ProbeView {
  /** `Off`: no frames are sent; `Probing`: of some nodes it cannot be told yet. */
  readonly state: "Off" | "Probing" | "Known";
  /** Other nodes that the LAN is in use on. */
  readonly peers: number;
  readonly reachable: number;
  /** To the slowest of them. */
  readonly roundTripMs?: number;
  /** Largest frame that gets through to and from all of them, as MTU. */
  readonly mtu?: number;
  readonly nodes: readonly ProbedNodeView[];
}

export interface ProbedNodeView {
  readonly node: string;
  readonly state:
    | "probing"
    | "reachable"
    | "paused"
    | "silent"
    | "oneWay"
    | "groupOnly"
    | "smallOnly";
  readonly roundTripMs?: number;
  readonly lossPercent: number;
  readonly mtu?: number;
}

export interface LinkView {
  readonly name: string;
  readonly role: "bridge" | "vxlan" | "port";
  readonly up: boolean;
  readonly mtu: number;
  readonly mac: string;
}

export interface AttachmentView extends AttachmentKey {
  readonly lan: string;
  readonly spoke?: string;
  readonly attach: AttachKind;
  readonly netns?: string;
  /** `namespace/name` of the pod, where known. */
  readonly pod?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly tap?: string;
}

export interface NodeView {
  readonly node: string;
  readonly version: string;
  readonly pid: number;
  readonly lans: readonly LanView[];
  readonly attachments: readonly AttachmentView[];
  /** LAN files that could not be read, clashes with links that are not ours, … */
  readonly problems: readonly Condition[];
}

/** CNI error codes used here (CNI specification 1.1.0, section 5 "Error", and ours from 100). */
export const CniCode = {
  IncompatibleVersion: 1,
  UnsupportedField: 2,
  UnknownContainer: 3,
  InvalidEnvironment: 4,
  Io: 5,
  Decode: 6,
  InvalidConfig: 7,
  TryAgainLater: 11,
  NotAvailable: 50,
  NotAvailableLimited: 51,
  /** LAN, spoke or namespace not found, not accepted or not allowed. */
  Refused: 100,
  /** A link, namespace, VNI or port belongs to someone else. */
  Clash: 101,
  /** The interface is not what ADD made (CHECK). */
  Drift: 102,
  /** The kernel refused. */
  Kernel: 103,
  Internal: 110,
} as const;
