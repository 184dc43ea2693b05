/** What the agent knows of one attachment. The mark on its bridge port is the proof that it exists. */

import type { AttachKind, IpConfig, RouteConfig } from "../api/agent_protocol.ts";
import { K8slanError } from "../base/errors.ts";
import { derivedMac } from "../plan/identity.ts";
import type { TapOwner, WantedAttachment } from "../plan/wanted.ts";

export interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
  /** The LAN, as in marks. */
  readonly lanId: string;
  /** `namespace/name` of the LAN. */
  readonly lan: string;
  /** Path of the LAN's namespace. */
  readonly netnsPath: string;
  readonly port: string;
  readonly spoke?: string;
  readonly attach: AttachKind;
  /** The workload's namespace; unknown when the record on disk was lost. */
  readonly target?: Target;
  readonly details?: AttachmentDetails;
}

export interface Target {
  readonly path: string;
  /** Which namespace it was: a path can come to lead to another one. */
  readonly identity: string;
}

/** What only the record on disk remembers. */
export interface AttachmentDetails {
  /** `name` of the CNI network configuration. */
  readonly network: string;
  readonly pod?: PodIdentity;
  readonly mac: string;
  readonly mtu: number;
  readonly tapIndex?: number;
  readonly owner?: TapOwner;
  readonly ips: readonly IpConfig[];
  readonly routes: readonly RouteConfig[];
}

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

export function attachmentKey(key: { containerId: string; ifname: string }): string {
  return `${key.containerId}@${key.ifname}`;
}

/** `/dev/tap<N>` of a macvtap. */
export function tapPath(attachment: Attachment): string | undefined {
  const index = attachment.details?.tapIndex;
  return index === undefined ? undefined : `/dev/tap${index}`;
}

/** The attachment as the plan wants it; undefined when too little of it is known to make it anew. */
export function wantedAttachment(
  attachment: Attachment,
  node: string,
): WantedAttachment | undefined {
  const { containerId, ifname, port, spoke, target, details, lanId } = attachment;
  if (details === undefined) return undefined;
  const base = {
    ...{ containerId, ifname, port },
    portAddress: derivedMac(lanId, node, port),
    address: details.mac,
    mtu: details.mtu,
    ...(target === undefined ? {} : { target: target.path }),
  };
  if (attachment.attach === "veth") {
    return { attach: "veth", ...base, ...(spoke === undefined ? {} : { spoke }) };
  }
  const { tapIndex: index, owner } = details;
  if (spoke === undefined || index === undefined || owner === undefined) return undefined;
  return { attach: "macvtap", ...base, spoke, index, owner };
}

/**
 * Throws `K8slanError` "NetnsChanged" when `held` are not in the namespace that their LAN should have
 * by now: to serve both would cut off what works.
 */
export function requireUnmoved(lan: string, netnsPath: string, held: readonly Attachment[]): void {
  const elsewhere = held.find((attachment) => attachment.netnsPath !== netnsPath);
  if (elsewhere === undefined) return;
  throw new K8slanError(
    "NetnsChanged",
    `spec.ns of LAN "${lan}" was changed while workloads are attached in "${elsewhere.netnsPath}"; change it back, or detach them first`,
    { retriable: true },
  );
}
