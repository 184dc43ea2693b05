/** The DaemonSet of the node agent. */

import type { V1Container, V1DaemonSet, V1PodSpec } from "@kubernetes/client-node";
import {
  DAEMON_SET_NAME,
  DEFAULT_AGENT_HEALTH_PORT,
  DEFAULT_RUN_DIR,
} from "../../src/api/names.ts";
import { ACCOUNTS, type ManifestOptions, podLabels, systemMeta } from "./common.ts";
import { agentMounts, agentVolumes } from "./agent_paths.ts";
import { httpProbe, TEMPORARY_MOUNT, TEMPORARY_VOLUME } from "./pods.ts";
import { why } from "./why.ts";

export function agentDaemonSet(options: ManifestOptions): V1DaemonSet {
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: systemMeta(options, DAEMON_SET_NAME),
    spec: {
      selector: { matchLabels: podLabels("agent") },
      updateStrategy: why(
        { type: "One node after the other. What is attached works on without its agent." },
        { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
      ),
      template: { metadata: { labels: podLabels("agent") }, spec: agentPod(options) },
    },
  };
}

function agentPod(options: ManifestOptions): V1PodSpec {
  return why({
    automountServiceAccountToken: "For the API server. The ServiceAccount itself gives none out.",
    hostNetwork: "Builds links in the host's network namespace.",
    hostPID: "Not needed where the container runtime keeps the pods' network namespaces in " +
      "/run/netns, as containerd and CRI-O do. A runtime that names them /proc/PID/ns/net " +
      "(cri-dockerd) needs true here.",
    dnsPolicy: "Asks no names: the API server is found by the address in the environment.",
    tolerations:
      "Wherever pods can run, they may have to be attached; and who drains a node still " +
      "needs them detached.",
    terminationGracePeriodSeconds: "It stops at once: nothing has to be undone.",
  }, {
    serviceAccountName: ACCOUNTS.agent,
    automountServiceAccountToken: true,
    hostNetwork: true,
    hostPID: false,
    dnsPolicy: "Default",
    priorityClassName: "system-node-critical",
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [{ operator: "Exists" }],
    terminationGracePeriodSeconds: 10,
    containers: [agentContainer(options)],
    volumes: [...agentVolumes(), TEMPORARY_VOLUME],
  });
}

function agentContainer({ image }: ManifestOptions): V1Container {
  return why({
    resources: "No limit of processor time: it would make every attach wait.",
    terminationMessagePath: "Not below /dev as by default, for that is the host's.",
    startupProbe: "Until it has looked at everything that a former run left.",
  }, {
    name: "agent",
    image,
    imagePullPolicy: "IfNotPresent",
    args: ["agent"],
    env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
    securityContext: why({
      privileged: "Kubernetes allows Bidirectional mounts to privileged containers alone, and " +
        "without one the LANs' network namespaces would be seen by this container only and vanish " +
        "with it (see the mount of " + DEFAULT_RUN_DIR +
        "). Of the rest that it brings, the agent " +
        "uses: CAP_NET_ADMIN (links), CAP_NET_RAW (hello frames), CAP_SYS_ADMIN (setns, mount), CAP_CHOWN, CAP_FOWNER and " +
        "CAP_DAC_OVERRIDE (/dev/tapN), a writable /proc/sys, and the devices of /dev.",
      readOnlyRootFilesystem: "All it writes is on the mounts below.",
    }, {
      privileged: true,
      readOnlyRootFilesystem: true,
      runAsUser: 0,
    }),
    resources: {
      requests: { cpu: "50m", memory: "128Mi" },
      limits: { memory: "512Mi" },
    },
    terminationMessagePath: "/tmp/termination-log",
    terminationMessagePolicy: "FallbackToLogsOnError",
    startupProbe: { ...probe("/healthz"), periodSeconds: 1, failureThreshold: 120 },
    livenessProbe: { ...probe("/healthz"), periodSeconds: 10, failureThreshold: 6 },
    readinessProbe: { ...probe("/readyz"), periodSeconds: 5, failureThreshold: 2 },
    volumeMounts: [...agentMounts(), TEMPORARY_MOUNT],
  });
}

/** The agent listens on the loopback alone, and kubelet is on the same host. */
function probe(path: string) {
  return httpProbe(path, DEFAULT_AGENT_HEALTH_PORT, "127.0.0.1");
}
