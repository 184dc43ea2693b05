/** Which NetworkAttachmentDefinitions a LAN shall have, and whether one is as it shall be. */

import type { Lan } from "../api/lan.ts";
import {
  CNI_TYPE,
  LAN_UID_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  RESOURCE_NAME_ANNOTATION,
  RESOURCE_PREFIX,
} from "../api/names.ts";
import type { NewMeta, ObjectKey } from "../kube/objects.ts";
import type { NetworkAttachmentDefinition } from "../kube/resources.ts";
import { lanName } from "../plan/lan_plan.ts";

/** Selects what the controller made. */
export const OWN_NETWORKS = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;

export interface WantedNetwork extends ObjectKey {
  readonly namespace: string;
  readonly lanUid: string;
  /** CNI configuration, as JSON text. */
  readonly config: string;
  /** Device that a pod gets with it; absent for a veth, which needs none. */
  readonly resource?: string;
}

/** Multus drops the MTU from results of older versions than this. */
const CNI_VERSION = "1.0.0";

/** The namespaces whose workloads may attach. */
export function namespacesOf({ metadata, spec }: Lan): readonly string[] {
  return spec.namespaces ?? [metadata.namespace];
}

/** In each of `namespaces`: two for each spoke, and one that needs none. */
export function wantedNetworks(lan: Lan, namespaces: readonly string[]): readonly WantedNetwork[] {
  const inOne = [
    ...lan.spec.spokes.flatMap((spoke) => [macvtapNetwork(lan, spoke), vethNetwork(lan, spoke)]),
    anyNetwork(lan),
  ];
  return namespaces.flatMap((namespace) => inOne.map((network) => ({ ...network, namespace })));
}

/** The one of that name and namespace, if the LAN shall have it. */
export function wantedNetwork(
  lan: Lan,
  { namespace, name }: ObjectKey,
): WantedNetwork | undefined {
  if (namespace === undefined || !namespacesOf(lan).includes(namespace)) return undefined;
  const { spokes } = lan.spec;
  // No spoke ends like the names of the other two kinds.
  if (spokes.includes(name)) return { ...macvtapNetwork(lan, name), namespace };
  const spoke = name.replace(/-veth$/, "");
  if (spoke !== name && spokes.includes(spoke)) return { ...vethNetwork(lan, spoke), namespace };
  return name === anyName(lan) ? { ...anyNetwork(lan), namespace } : undefined;
}

/** `metadata` to make it with. */
export function networkMeta({ namespace, name, lanUid, resource }: WantedNetwork): NewMeta {
  return {
    ...{ namespace, name },
    labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [LAN_UID_LABEL]: lanUid },
    ...(resource === undefined ? {} : { annotations: { [RESOURCE_NAME_ANNOTATION]: resource } }),
  };
}

/** What others added to it, labels for instance, doesn't matter. */
export function isAsWanted(
  found: NetworkAttachmentDefinition,
  { lanUid, config, resource }: WantedNetwork,
): boolean {
  const { metadata: { annotations = {} }, spec } = found;
  return spec?.config === config && lanUidOf(found) === lanUid &&
    annotations[RESOURCE_NAME_ANNOTATION] === resource;
}

/**
 * UID of the LAN that an object belongs to. Undefined for what the controller did not make, or what
 * somebody took from it by removing a label: only what bears both may it change.
 */
export function lanUidOf({ metadata }: NetworkAttachmentDefinition): string | undefined {
  const { labels = {} } = metadata;
  return labels[MANAGED_BY_LABEL] === MANAGED_BY ? labels[LAN_UID_LABEL] : undefined;
}

type Network = Omit<WantedNetwork, "namespace">;

function macvtapNetwork(lan: Lan, spoke: string): Network {
  const network = networkOf(lan, spoke, { spoke, attach: "macvtap" });
  return { ...network, resource: `${RESOURCE_PREFIX}/${spoke}` };
}

function vethNetwork(lan: Lan, spoke: string): Network {
  return networkOf(lan, `${spoke}-veth`, { spoke, attach: "veth" });
}

function anyNetwork(lan: Lan): Network {
  return networkOf(lan, anyName(lan), { attach: "veth" });
}

function anyName({ metadata }: Lan): string {
  return `${metadata.name}-any`;
}

function networkOf(
  lan: Lan,
  name: string,
  keys: { readonly spoke?: string; readonly attach: "macvtap" | "veth" },
): Network {
  const config = { cniVersion: CNI_VERSION, name, type: CNI_TYPE, lan: lanName(lan), ...keys };
  return { name, lanUid: lan.metadata.uid, config: JSON.stringify(config) };
}
