/** What all objects of a manifest have in common. */

import type { V1ObjectMeta } from "@kubernetes/client-node";
import { SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { version } from "../../src/version.ts";

/** As labels and in front of names. */
export const PRODUCT = "k8slan";

/** Holds the webhook's certificate where the controller itself renews it. */
export const WEBHOOK_SECRET = `${PRODUCT}-webhook-cert`;

export interface ManifestOptions {
  /** Where everything runs. */
  readonly namespace: string;
  /** Of both workloads: its ENTRYPOINT is the program. */
  readonly image: string;
}

export const DEFAULT_OPTIONS: ManifestOptions = {
  namespace: SYSTEM_NAMESPACE,
  image: `k8slan.io/k8slan:${version}`,
};

/** Of every object of ours but those that the controller makes; deploy/uninstall goes by it. */
const PART_OF = { "app.kubernetes.io/part-of": PRODUCT } as const;

export type Component = "agent" | "controller";

/** Who selects pods selects by these, which therefore never change. */
export function podLabels(component: Component): Record<string, string> {
  return { "app.kubernetes.io/name": PRODUCT, "app.kubernetes.io/component": component };
}

/** Of an object that belongs to the cluster. */
export function clusterMeta(name: string, labels: Record<string, string> = {}): V1ObjectMeta {
  return { name, labels: { ...PART_OF, ...labels } };
}

/** Of an object in the namespace of the product. */
export function systemMeta(
  { namespace }: ManifestOptions,
  name: string,
  labels: Record<string, string> = {},
): V1ObjectMeta {
  return { name, namespace, labels: { ...PART_OF, ...labels } };
}

/** Name of a workload's ServiceAccount, role and bindings. */
export const ACCOUNTS: Readonly<Record<Component, string>> = {
  agent: `${PRODUCT}-agent`,
  controller: `${PRODUCT}-controller`,
};

/** The user as which a workload's requests reach the API server. */
export function userName({ namespace }: ManifestOptions, component: Component): string {
  return `system:serviceaccount:${namespace}:${ACCOUNTS[component]}`;
}
