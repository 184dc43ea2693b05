/**
 * Tells pods that hold a spoke's device and name no network for it, by an Event each.
 *
 * Agents report such pods; only here it can be seen what a pod names, and its UID, without which
 * `kubectl describe` does not show an event.
 */

import type { Lan } from "../api/lan.ts";
import type { UnattachedOnNode } from "../api/lan_node.ts";
import { NETWORKS_ANNOTATION, RESOURCE_NAME_ANNOTATION, RESOURCE_PREFIX } from "../api/names.ts";
import { K8slanError } from "../base/errors.ts";
import type { EventText } from "../kube/event_recorder.ts";
import type { CallOptions, KubeApi } from "../kube/kube_api.ts";
import type { KubeObject } from "../kube/objects.ts";
import {
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
  type Pod,
  PODS,
} from "../kube/resources.ts";
import { lanName } from "../plan/lan_plan.ts";
import type { ClusterView } from "./cluster_view.ts";
import { namespacesOf } from "./networks.ts";
import { type NetworkKey, parsePodNetworks } from "./pod_networks.ts";

const DEADLINE_MS = 10_000;

export interface UnattachedPodsOptions {
  readonly view: ClusterView;
  readonly api: Pick<KubeApi, "get" | "list">;
  readonly record: (object: KubeObject, text: EventText) => void;
}

export class UnattachedPods {
  readonly #options: UnattachedPodsOptions;
  /** Of what each node reports, what has been looked at. */
  readonly #seen = new Map<string, Set<string>>();

  constructor(options: UnattachedPodsOptions) {
    this.#options = options;
  }

  /** To be run by a reconciler, with the name of a node; see `Reconcile`. */
  async reconcile(node: string, signal: AbortSignal): Promise<void> {
    const reported = this.#options.view.lanNodes.get({ name: node })?.status?.unattached ?? [];
    const before = this.#seen.get(node);
    const keys = reported.map((one) => JSON.stringify(one));
    const seen = new Set(keys.filter((key) => before?.has(key)));
    if (keys.length === 0) this.#seen.delete(node);
    else this.#seen.set(node, seen);
    for (const [at, one] of reported.entries()) {
      const key = keys[at]!;
      if (seen.has(key)) continue;
      await this.#look(one, node, { signal, deadlineMs: DEADLINE_MS });
      seen.add(key);
    }
  }

  async #look(
    { lanUid, spoke, pod: { namespace, name } }: UnattachedOnNode,
    node: string,
    call: CallOptions,
  ): Promise<void> {
    const { view, api, record } = this.#options;
    const object = view.lansByUid.get(lanUid)[0];
    const validation = object === undefined ? undefined : view.acceptance.validation(object);
    if (validation === undefined || !("lan" in validation)) return;
    // To list one is allowed already, where to get any would be a further permission.
    const selection = { namespace, fieldSelector: `metadata.name=${name}` };
    const { items } = await api.list(PODS, { ...selection, ...call });
    const pod = items.find(({ metadata }) => metadata.name === name);
    if (pod === undefined || !isWaiting(pod, node)) return;
    const networks = await this.#networksOf(pod, namespace, call);
    if (networks?.every((network) => !mayLeadTo(network, spoke)) !== true) return;
    const note = missingNote(validation.lan, spoke, namespace);
    record(pod, { type: "Warning", reason: "NetworkMissing", action: "Attach", note });
  }

  /** Undefined where it's not known what the pod names: then it does not start, and multus says why. */
  async #networksOf(
    { metadata: { annotations } }: Pod,
    namespace: string,
    call: CallOptions,
  ): Promise<readonly NetworkAttachmentDefinition[] | undefined> {
    const { view, api } = this.#options;
    const keys = keysIn(annotations?.[NETWORKS_ANNOTATION], namespace);
    if (keys === undefined) return undefined;
    const networks: NetworkAttachmentDefinition[] = [];
    for (const key of keys) {
      const network = view.networks.get(key) ??
        await api.get(NETWORK_ATTACHMENT_DEFINITIONS, key, call);
      if (network === undefined) return undefined;
      networks.push(network);
    }
    return networks;
  }
}

function keysIn(text: string | undefined, namespace: string): readonly NetworkKey[] | undefined {
  try {
    return text === undefined || text.trim() === "" ? [] : parsePodNetworks(text, namespace);
  } catch (error) {
    if (error instanceof K8slanError) return undefined;
    throw error;
  }
}

/** An agent has a say about the pods of its own node alone. */
function isWaiting({ metadata, spec, status }: Pod, node: string): boolean {
  const hasEnded = status?.phase === "Succeeded" || status?.phase === "Failed";
  return spec?.nodeName === node && metadata.deletionTimestamp === undefined && !hasEnded;
}

/** In doubt yes: then the attachment is under way or fails, and who makes it says why. */
function mayLeadTo({ metadata, spec }: NetworkAttachmentDefinition, spoke: string): boolean {
  return metadata.annotations?.[RESOURCE_NAME_ANNOTATION] === `${RESOURCE_PREFIX}/${spoke}` ||
    spec?.config?.includes(JSON.stringify(spoke)) === true;
}

function missingNote(lan: Lan, spoke: string, namespace: string): string {
  const found = `Pod holds the device of spoke "${spoke}" of LAN "${lanName(lan)}" but is not ` +
    "attached to it";
  const without = `without "${RESOURCE_PREFIX}/${spoke}" in its resources`;
  return namespacesOf(lan).includes(namespace)
    ? `${found}: make the pod anew with the annotation "${NETWORKS_ANNOTATION}: ${spoke}" (a ` +
      `NetworkAttachmentDefinition of the LAN), or ${without}`
    : `${found}, which is not offered in namespace "${namespace}": add that to the LAN's ` +
      `spec.namespaces and make the pod anew with the annotation "${NETWORKS_ANNOTATION}: ` +
      `${spoke}", or make it ${without}`;
}
