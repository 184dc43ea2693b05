/** A webhook with its certificate, and those who call it. */

import { DEFAULT_OPTIONS } from "../../scripts/manifests/common.ts";
import { podWebhookConfiguration } from "../../scripts/manifests/pod_webhook.ts";
import { SPEC_CHANGES } from "../../scripts/manifests/webhook.ts";
import { decodeBase64, readSecret } from "../../src/controller/cert_facts.ts";
import type { CertificateTiming } from "../../src/controller/cert_plan.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import type { CallOptions, KubeApi } from "../../src/kube/kube_api.ts";
import type { KubeObject, ObjectKey } from "../../src/kube/objects.ts";
import type { Resource } from "../../src/kube/resource.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from "../../src/kube/resources.ts";

export const SECRET_KEY = { namespace: "k8slan-system", name: "k8slan-webhook-cert" };
export const CONFIGURATION_KEY = { name: "k8slan-webhook" };
export const POD_CONFIGURATION_KEY = { name: "k8slan-pod-webhook" };
export const LOOPBACK_NAMES = ["DNS:localhost", "IP Address:127.0.0.1"];

/**
 * A new certificate every other second and a new authority each third, good for a minute. Times in
 * certificates have no fractions: an authority settles for 1 s at least.
 */
export const HASTY: CertificateTiming = {
  authorityMs: 60_000,
  authorityRenewMs: 57_000,
  servingMs: 60_000,
  servingRenewMs: 58_000,
  settleMs: 2_000,
  backdateMs: 3_600_000,
};

/**
 * A new authority every eighth second, for a webhook that a real API server asks: on a busy machine that
 * may hear of an authority seconds later, and must have heard of it before the authority is used.
 */
export const LESS_HASTY: CertificateTiming = {
  ...HASTY,
  authorityRenewMs: 52_000,
  settleMs: 5_000,
};

/**
 * Waits longer than webhooks do for what they look up, who then decide by what they know: a busy machine
 * is not what is tested.
 */
export class PatientKubeApi extends FetchKubeApi {
  override async get<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    { deadlineMs: _, ...options }: CallOptions = {},
  ): Promise<T | undefined> {
    return await super.get(resource, key, options);
  }
}

/** The Secret as the manifest makes it: empty. */
export async function makeSecret(api: KubeApi): Promise<void> {
  await api.create(SECRETS, { metadata: SECRET_KEY, type: "Opaque" });
}

/** The webhook's configuration, for a webhook on this machine. */
export async function makeConfiguration(
  api: KubeApi,
  url: string,
  failurePolicy: "Fail" | "Ignore" = "Ignore",
): Promise<void> {
  await api.create(VALIDATING_WEBHOOK_CONFIGURATIONS, {
    metadata: CONFIGURATION_KEY,
    webhooks: [{
      name: "lans.lan.k8slan.io",
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy,
      matchPolicy: "Equivalent",
      // A busy machine is not what is tested.
      timeoutSeconds: 10,
      clientConfig: { url },
      rules: [{
        ...{ apiGroups: ["lan.k8slan.io"], apiVersions: ["v1beta1"], resources: ["lans"] },
        ...{ scope: "Namespaced", operations: ["CREATE", "UPDATE"] },
      }],
      matchConditions: SPEC_CHANGES,
    }],
  });
}

/** The configuration of the webhook for pods, for a webhook on this machine. */
export async function makePodConfiguration(
  api: KubeApi,
  url: string,
  failurePolicy: "Fail" | "Ignore" = "Ignore",
): Promise<void> {
  const { webhooks = [] } = podWebhookConfiguration(DEFAULT_OPTIONS, false);
  await api.create(MUTATING_WEBHOOK_CONFIGURATIONS, {
    metadata: POD_CONFIGURATION_KEY,
    webhooks: webhooks.map((webhook) => ({
      ...{ ...webhook, clientConfig: { url }, failurePolicy },
      // A busy machine is not what is tested.
      timeoutSeconds: 10,
    })),
  });
}

/** Whom API servers trust as the webhook for pods. */
export async function publishedForPods(api: KubeApi): Promise<string> {
  const configuration = await api.get(MUTATING_WEBHOOK_CONFIGURATIONS, POD_CONFIGURATION_KEY);
  return decodeBase64(configuration?.webhooks?.[0]?.clientConfig.caBundle);
}

/** The body of a review of a pod's creation in namespace "default". */
export function podReviewOf(object: unknown): string {
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      ...{ uid: "u", operation: "CREATE", namespace: "default", object },
      resource: { group: "", version: "v1", resource: "pods" },
    },
  });
}

/** Whom API servers trust. */
export async function publishedBundle(api: KubeApi): Promise<string> {
  const configuration = await api.get(VALIDATING_WEBHOOK_CONFIGURATIONS, CONFIGURATION_KEY);
  return decodeBase64(configuration?.webhooks?.[0]?.clientConfig.caBundle);
}

/** The certificate that is to be served. */
export async function storedCertificate(api: KubeApi): Promise<string | undefined> {
  const secret = await api.get(SECRETS, SECRET_KEY);
  return secret === undefined ? undefined : readSecret(secret).serving?.pair.certificate;
}

/** The body of a review of a LAN's creation. */
export function reviewOf(object: unknown): string {
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u",
      operation: "CREATE",
      resource: { group: "lan.k8slan.io", version: "v1beta1", resource: "lans" },
      object,
    },
  });
}
