/** The product's manifest on an API server that no kubelet and no controller manager is at. */

import { type Certificate, manifestObjects } from "../../scripts/manifests/manifest.ts";
import { DEFAULT_OPTIONS } from "../../scripts/manifests/common.ts";
import type { RawKube, RawObject } from "./raw_kube.ts";
import { until } from "./until.ts";

/** The objects of deploy/k8slan.yaml. */
export function shippedObjects(certificate: Certificate = "own"): RawObject[] {
  return JSON.parse(JSON.stringify(manifestObjects(DEFAULT_OPTIONS, certificate)));
}

/** Kinds of the manifests by their plural. */
const PLURALS: Readonly<Record<string, string>> = {
  NetworkAttachmentDefinition: "network-attachment-definitions",
  NetworkPolicy: "networkpolicies",
  ValidatingAdmissionPolicy: "validatingadmissionpolicies",
};

export function objectPath({ apiVersion, kind, metadata }: RawObject): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`;
  return `${root}${within}/${plural}/${metadata.name}`;
}

/** Applies an object as `kubectl apply --server-side` does; what the server doesn't know is refused. */
export async function applyObject(
  kube: RawKube,
  object: RawObject,
  options: { readonly dryRun?: boolean } = {},
): Promise<RawObject> {
  const query = new URLSearchParams({ fieldManager: "test", fieldValidation: "Strict" });
  if (options.dryRun === true) query.set("dryRun", "All");
  return await kube.must({
    method: "PATCH",
    path: `${objectPath(object)}?${query}`,
    contentType: "application/apply-patch+yaml",
    body: object,
  });
}

/** Applies all objects of the given kinds, and waits until our own kinds are served. */
export async function applyKinds(kube: RawKube, kinds: readonly string[]): Promise<void> {
  for (const object of shippedObjects()) {
    if (kinds.includes(object.kind)) await applyObject(kube, object);
  }
  if (!kinds.includes("CustomResourceDefinition")) return;
  for (const plural of ["lans", "lannodes"]) {
    const path = `/apis/lan.k8slan.io/v1beta1/${plural}`;
    await until(`${plural} are served`, async () => (await kube.ask({ path })).status === 200);
  }
}
