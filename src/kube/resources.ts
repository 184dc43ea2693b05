/** The kinds that k8slan deals with. */

import type {
  EventsV1Event,
  V1Lease,
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1Node,
  V1Pod,
  V1Secret,
  V1ValidatingWebhookConfiguration,
} from "@kubernetes/client-node";
import type { LanNodeStatus } from "../api/lan_node.ts";
import type { LanStatus } from "../api/lan_status.ts";
import { GROUP, VERSION } from "../api/names.ts";
import type { KubeObject, Stored } from "./objects.ts";
import { resource } from "./resource.ts";

/** A LAN as it lies in the cluster: to be validated by `validateLan()` before use. */
export interface LanObject extends KubeObject {
  readonly spec: unknown;
  readonly status?: LanStatus;
}

/** What the agent of the node of that name says; absent until it has said something. */
export interface LanNodeObject extends KubeObject {
  readonly status?: LanNodeStatus;
}

export interface NetworkAttachmentDefinition extends KubeObject {
  /** `config` is a CNI configuration, as JSON text. */
  readonly spec?: { readonly config?: string };
}

export type Lease = Stored<V1Lease>;
export type KubeEvent = Stored<EventsV1Event>;
export type Namespace = Stored<V1Namespace>;
export type Node = Stored<V1Node>;
export type Pod = Stored<V1Pod>;
export type Secret = Stored<V1Secret>;
export type MutatingWebhookConfiguration = Stored<V1MutatingWebhookConfiguration>;
export type ValidatingWebhookConfiguration = Stored<V1ValidatingWebhookConfiguration>;

export const LANS = resource<LanObject>({
  group: GROUP,
  version: VERSION,
  plural: "lans",
  kind: "LAN",
  namespaced: true,
});

export const LAN_NODES = resource<LanNodeObject>({
  group: GROUP,
  version: VERSION,
  plural: "lannodes",
  kind: "LANNode",
  namespaced: false,
});

export const NETWORK_ATTACHMENT_DEFINITIONS = resource<NetworkAttachmentDefinition>({
  group: "k8s.cni.cncf.io",
  version: "v1",
  plural: "network-attachment-definitions",
  kind: "NetworkAttachmentDefinition",
  namespaced: true,
});

export const LEASES = resource<Lease>({
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
});

export const EVENTS = resource<KubeEvent>({
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
});

export const NAMESPACES = resource<Namespace>({
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
});

export const NODES = resource<Node>({
  group: "",
  version: "v1",
  plural: "nodes",
  kind: "Node",
  namespaced: false,
});

export const PODS = resource<Pod>({
  group: "",
  version: "v1",
  plural: "pods",
  kind: "Pod",
  namespaced: true,
});

export const SECRETS = resource<Secret>({
  group: "",
  version: "v1",
  plural: "secrets",
  kind: "Secret",
  namespaced: true,
});

export const VALIDATING_WEBHOOK_CONFIGURATIONS = resource<ValidatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
  kind: "ValidatingWebhookConfiguration",
  namespaced: false,
});

export const MUTATING_WEBHOOK_CONFIGURATIONS = resource<MutatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "mutatingwebhookconfigurations",
  kind: "MutatingWebhookConfiguration",
  namespaced: false,
});
