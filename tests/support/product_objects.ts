/** Objects that users write, for tests of the installed product; `removeObjects` finds them again. */

import { BUSYBOX_IMAGE } from "../../scripts/local_cluster/images.ts";
import { API_VERSION, RESOURCE_NAME_ANNOTATION, RESOURCE_PREFIX } from "../../src/api/names.ts";
import type { ClusterNode } from "./cluster_node.ts";

/** On every object that a test makes. */
export const TEST_LABEL = "k8slan-test";

const labels = { [TEST_LABEL]: "yes" };

/** A LAN; `spec` is laid over a valid one that `eth1` carries on every node. */
export function lanObject(
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
  namespace = "default",
) {
  return {
    apiVersion: API_VERSION,
    kind: "LAN",
    metadata: { name, namespace, labels },
    spec: {
      ...{ ns: name, bridge: "br0", vxlan: "vx0", defaultVxlanDev: "eth1" },
      ...spec,
    },
  };
}

export interface PodOptions {
  readonly namespace?: string;
  /** Where it must run; absent: anywhere. */
  readonly node?: ClusterNode;
  /** Value of the annotation, as text or to become JSON; absent: none. */
  readonly networks?: string | readonly object[];
  /** Spokes whose devices it asks for. */
  readonly spokes?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether replicas run on as many nodes as there are. */
  readonly spread?: boolean;
}

/** A pod that sleeps, and may configure its links. */
export function podObject(name: string, options: PodOptions = {}) {
  const { namespace = "default", node, networks, spokes = [] } = options;
  const text = typeof networks === "string" ? networks : JSON.stringify(networks);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...{ name, namespace },
      labels: { ...labels, ...options.labels },
      annotations: networks === undefined ? {} : { "k8s.v1.cni.cncf.io/networks": text },
    },
    spec: {
      ...(node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": node.name } }),
      terminationGracePeriodSeconds: 5,
      containers: [{
        name: "main",
        image: BUSYBOX_IMAGE,
        imagePullPolicy: "Never",
        // As first process, a program that says nothing about SIGTERM would not be ended by it.
        command: ["sh", "-c", "trap exit TERM; sleep infinity & wait"],
        securityContext: { capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
        resources: {
          limits: Object.fromEntries(spokes.map((spoke) => [`${RESOURCE_PREFIX}/${spoke}`, "1"])),
        },
      }],
    },
  };
}

/** `replicas` of the pod, each with a name of its own. */
export function deploymentObject(name: string, replicas: number, options: PodOptions) {
  const pod = podObject(name, { ...options, labels: { ...options.labels, app: name } });
  const { labels, annotations } = pod.metadata;
  const selector = { matchLabels: { app: name } };
  const spec = options.spread !== true ? pod.spec : {
    ...pod.spec,
    topologySpreadConstraints: [{
      ...{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" },
      labelSelector: selector,
    }],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: pod.metadata.namespace, labels },
    spec: {
      replicas,
      selector,
      template: { metadata: { labels, annotations }, spec },
    },
  };
}

export interface NetworkOptions {
  readonly namespace?: string;
  /** Binds the network to the device of this spoke. */
  readonly device?: string;
}

/** A NetworkAttachmentDefinition as users write it; `config` as text or to become JSON. */
export function networkObject(
  name: string,
  config: string | Readonly<Record<string, unknown>>,
  { namespace = "default", device }: NetworkOptions = {},
) {
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: {
      ...{ name, namespace, labels },
      annotations: device === undefined
        ? {}
        : { [RESOURCE_NAME_ANNOTATION]: `${RESOURCE_PREFIX}/${device}` },
    },
    spec: { config: typeof config === "string" ? config : JSON.stringify(config) },
  };
}

/** A namespace of a test. */
export function namespaceObject(name: string) {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}
