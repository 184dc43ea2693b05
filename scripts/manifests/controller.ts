/** The controller's Deployment and what belongs to it. */

import type {
  V1Container,
  V1Deployment,
  V1NetworkPolicy,
  V1PodDisruptionBudget,
  V1PodSpec,
  V1Service,
} from "@kubernetes/client-node";
import { CONTROLLER_NAME, WEBHOOK_NAME } from "../../src/api/names.ts";
import { ACCOUNTS, type ManifestOptions, podLabels, systemMeta } from "./common.ts";
import { httpProbe, TEMPORARY_MOUNT, TEMPORARY_VOLUME } from "./pods.ts";
import { about, why } from "./why.ts";

const PORTS = { webhook: 9443, metrics: 8080, health: 8081 } as const;
/** Where the webhook's certificate is mounted if somebody else renews it. */
const CERTIFICATE_DIR = "/etc/k8slan/webhook-certificate";
const NOBODY = 65_532;

/** `certificateSecret`: a Secret that somebody else keeps the webhook's certificate in. */
export function controllerDeployment(
  options: ManifestOptions,
  certificateSecret?: string,
): V1Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: systemMeta(options, CONTROLLER_NAME),
    spec: why({ replicas: "One acts, the other takes over; both answer the webhook." }, {
      replicas: 2,
      selector: { matchLabels: podLabels("controller") },
      template: {
        metadata: { labels: podLabels("controller") },
        spec: controllerPod(options, certificateSecret),
      },
    }),
  };
}

function controllerPod(options: ManifestOptions, certificateSecret?: string): V1PodSpec {
  const certificate = certificateSecret === undefined
    ? []
    : [{ name: "certificate", secret: { secretName: certificateSecret } }];
  return {
    serviceAccountName: ACCOUNTS.controller,
    automountServiceAccountToken: true,
    priorityClassName: "system-cluster-critical",
    nodeSelector: { "kubernetes.io/os": "linux" },
    terminationGracePeriodSeconds: 10,
    affinity: {
      podAntiAffinity: why({
        preferredDuringSchedulingIgnoredDuringExecution: "Not both on one node, unless there is " +
          "only one.",
      }, {
        preferredDuringSchedulingIgnoredDuringExecution: [{
          weight: 100,
          podAffinityTerm: {
            topologyKey: "kubernetes.io/hostname",
            labelSelector: { matchLabels: podLabels("controller") },
          },
        }],
      }),
    },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: NOBODY,
      runAsGroup: NOBODY,
      fsGroup: NOBODY,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [controllerContainer(options, certificate.length > 0)],
    volumes: [TEMPORARY_VOLUME, ...certificate],
  };
}

function controllerContainer(
  { image, namespace }: ManifestOptions,
  hasCertificate: boolean,
): V1Container {
  const ports = Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort }));
  return {
    name: "controller",
    image,
    imagePullPolicy: "IfNotPresent",
    args: [
      ...["controller", "--namespace", namespace],
      ...["--webhook-port", String(PORTS.webhook)],
      ...["--metrics-port", String(PORTS.metrics)],
      ...["--health-port", String(PORTS.health)],
      ...(hasCertificate ? ["--webhook-certificate-dir", CERTIFICATE_DIR] : []),
    ],
    env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    ports,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    resources: {
      requests: { cpu: "20m", memory: "128Mi" },
      limits: { memory: "512Mi" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    startupProbe: {
      ...httpProbe("/healthz", PORTS.health),
      periodSeconds: 1,
      failureThreshold: 60,
    },
    livenessProbe: {
      ...httpProbe("/healthz", PORTS.health),
      periodSeconds: 10,
      failureThreshold: 6,
    },
    readinessProbe: {
      ...httpProbe("/readyz", PORTS.health),
      periodSeconds: 5,
      failureThreshold: 2,
    },
    volumeMounts: [
      TEMPORARY_MOUNT,
      ...(hasCertificate
        ? [{ name: "certificate", mountPath: CERTIFICATE_DIR, readOnly: true }]
        : []),
    ],
  };
}

export function controllerService(options: ManifestOptions): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: systemMeta(options, WEBHOOK_NAME),
    spec: {
      selector: podLabels("controller"),
      ports: [
        { name: "webhook", port: 443, targetPort: "webhook" },
        { name: "metrics", port: PORTS.metrics, targetPort: "metrics" },
      ],
    },
  };
}

export function controllerDisruptionBudget(options: ManifestOptions): V1PodDisruptionBudget {
  return about("Draining nodes takes one replica at a time.", {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: systemMeta(options, CONTROLLER_NAME),
    spec: { maxUnavailable: 1, selector: { matchLabels: podLabels("controller") } },
  });
}

export function controllerNetworkPolicy(options: ManifestOptions): V1NetworkPolicy {
  const ports = Object.values(PORTS).map((port) => ({ protocol: "TCP", port }));
  return about(
    "Nobody reaches the controller but at its ports. Who may call is left open: API servers and " +
      "kubelets have no labels to go by. So is where it may call to, which is the API server alone: " +
      "its address and port differ from cluster to cluster. The agents use the hosts' network, to " +
      "which no policy applies.",
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: systemMeta(options, CONTROLLER_NAME),
      spec: {
        podSelector: { matchLabels: podLabels("controller") },
        policyTypes: ["Ingress"],
        ingress: [{ ports }],
      },
    },
  );
}
