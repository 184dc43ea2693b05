/** The optional webhook that adds to pods the devices of the networks they name. */

import type { V1MatchCondition, V1MutatingWebhookConfiguration } from "@kubernetes/client-node";
import { GROUP, NETWORKS_ANNOTATION, POD_WEBHOOK_NAME, WEBHOOK_NAME } from "../../src/api/names.ts";
import { POD_WEBHOOK_PATH } from "../../src/controller/webhook_http.ts";
import { clusterMeta, type ManifestOptions } from "./common.ts";
import { INJECT_ANNOTATION, injectedFrom } from "./webhook.ts";
import { about, why } from "./why.ts";

/** When the webhook is asked. */
export const NAMES_NETWORKS: V1MatchCondition[] = [{
  name: "names-networks",
  expression: `object.metadata.?annotations['${NETWORKS_ANNOTATION}'].orValue('') != ''`,
}];

/** `isInjected`: whether cert-manager puts the authority into it. */
export function podWebhookConfiguration(
  options: ManifestOptions,
  isInjected: boolean,
): V1MutatingWebhookConfiguration {
  const annotations = { [INJECT_ANNOTATION]: injectedFrom(options) };
  return about(
    "Has a pod request the devices of the macvtap networks that it names, so that its author " +
      "need not. No pod is ever refused or held up by it.",
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { ...clusterMeta(POD_WEBHOOK_NAME), ...(isInjected ? { annotations } : {}) },
      webhooks: [why({
        rules: "Only new pods: devices can't be given to others.",
        namespaceSelector: "What the cluster and k8slan themselves need does not wait for it.",
        matchConditions: "All other pods are none of its business.",
        failurePolicy:
          "A controller that is away holds nobody up: the pod comes as it was written.",
        reinvocationPolicy:
          "Asked again when another webhook has added containers; it adds nothing twice.",
      }, {
        name: `pods.${GROUP}`,
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Ignore",
        reinvocationPolicy: "IfNeeded",
        matchPolicy: "Equivalent",
        timeoutSeconds: 2,
        clientConfig: {
          service: {
            name: WEBHOOK_NAME,
            namespace: options.namespace,
            path: POD_WEBHOOK_PATH,
            port: 443,
          },
        },
        rules: [{
          apiGroups: [""],
          apiVersions: ["v1"],
          resources: ["pods"],
          scope: "Namespaced",
          operations: ["CREATE"],
        }],
        namespaceSelector: {
          matchExpressions: [{
            key: "kubernetes.io/metadata.name",
            operator: "NotIn",
            values: ["kube-system", options.namespace],
          }],
        },
        matchConditions: NAMES_NETWORKS,
      })],
    },
  );
}
