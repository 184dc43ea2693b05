/** The webhook's configuration and certificate. */

import type {
  V1MatchCondition,
  V1Secret,
  V1ValidatingWebhookConfiguration,
} from "@kubernetes/client-node";
import { GROUP, VERSION, WEBHOOK_NAME } from "../../src/api/names.ts";
import { WEBHOOK_PATH } from "../../src/controller/webhook_http.ts";
import {
  clusterMeta,
  type ManifestOptions,
  PRODUCT,
  systemMeta,
  WEBHOOK_SECRET,
} from "./common.ts";
import { about, why } from "./why.ts";

/** Of cert-manager. */
const CERTIFICATE_NAME = WEBHOOK_NAME;
const ISSUER_NAME = `${PRODUCT}-selfsigned`;
/** Another one than `WEBHOOK_SECRET`, whose type cert-manager would not take. */
export const CERT_MANAGER_SECRET = `${PRODUCT}-webhook-tls`;

/** Filled and renewed by the controller. */
export function webhookSecret(options: ManifestOptions): V1Secret {
  return about(
    "Empty: the controller puts the webhook's certificate here and renews it. Applying this again " +
      "leaves it as it is.",
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: systemMeta(options, WEBHOOK_SECRET),
      type: "Opaque",
    },
  );
}

/** When the webhook is asked. */
export const SPEC_CHANGES: V1MatchCondition[] = [{
  name: "spec-changes",
  expression: "!has(object.metadata.deletionTimestamp) && " +
    "(request.operation == 'CREATE' || object.spec != oldObject.spec)",
}];

export function webhookConfiguration(
  options: ManifestOptions,
  annotations?: Record<string, string>,
): V1ValidatingWebhookConfiguration {
  return about(
    "Tells at apply time that a LAN takes what another has. No more than that: the schema guards " +
      "the shape, and the controller decides which LAN is accepted, webhook or not.",
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: {
        ...clusterMeta(WEBHOOK_NAME),
        ...(annotations === undefined ? {} : { annotations }),
      },
      webhooks: [why({
        rules: "Neither DELETE nor the status: nobody is kept from cleaning up.",
        matchConditions: "Labels and finalizers are nobody's conflict.",
        failurePolicy: "A controller that is away holds nobody up.",
      }, {
        name: `lans.${GROUP}`,
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Ignore",
        matchPolicy: "Equivalent",
        timeoutSeconds: 3,
        clientConfig: {
          service: {
            name: WEBHOOK_NAME,
            namespace: options.namespace,
            path: WEBHOOK_PATH,
            port: 443,
          },
        },
        rules: [{
          apiGroups: [GROUP],
          apiVersions: [VERSION],
          resources: ["lans"],
          scope: "Namespaced",
          operations: ["CREATE", "UPDATE"],
        }],
        matchConditions: SPEC_CHANGES,
      })],
    },
  );
}

/** By its value cert-manager knows whose authority to put into a configuration. */
export const INJECT_ANNOTATION = "cert-manager.io/inject-ca-from";

export function injectedFrom({ namespace }: ManifestOptions): string {
  return `${namespace}/${CERTIFICATE_NAME}`;
}

/** Has cert-manager put the authority into the configuration. */
export function injectedConfiguration(
  options: ManifestOptions,
): V1ValidatingWebhookConfiguration {
  return webhookConfiguration(options, { [INJECT_ANNOTATION]: injectedFrom(options) });
}

/** Issuer and Certificate; their kinds are cert-manager's. */
export function certManagerObjects(options: ManifestOptions): object[] {
  const apiVersion = "cert-manager.io/v1";
  const service = `${WEBHOOK_NAME}.${options.namespace}.svc`;
  return [
    {
      apiVersion,
      kind: "Issuer",
      metadata: systemMeta(options, ISSUER_NAME),
      spec: { selfSigned: {} },
    },
    {
      apiVersion,
      kind: "Certificate",
      metadata: systemMeta(options, CERTIFICATE_NAME),
      spec: {
        secretName: CERT_MANAGER_SECRET,
        issuerRef: { kind: "Issuer", name: ISSUER_NAME },
        dnsNames: [service, `${service}.cluster.local`],
        usages: ["server auth"],
        privateKey: { algorithm: "ECDSA", size: 256, rotationPolicy: "Always" },
      },
    },
  ];
}
