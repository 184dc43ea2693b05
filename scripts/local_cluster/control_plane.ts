/** etcd, API server, controller manager and scheduler, and the way to them from this machine. */

import { accepts, type ComponentSpec, serves } from "./components.ts";
import {
  API_SERVICE_ADDRESS,
  type ClusterLayout,
  inNetns,
  POD_SUBNET,
  SERVICE_SUBNET,
} from "./layout.ts";
import type { Pki } from "./pki.ts";
import type { Tools } from "./tools.ts";

export const API_PORT = 6443;
const ETCD = "http://127.0.0.1:2379"; // in a network namespace that has no other users

/** The certificates of the control plane and of its users, by name. */
export async function issueControlCertificates({ control }: ClusterLayout, pki: Pki) {
  await Promise.all([
    pki.issue("apiserver", {
      user: "kube-apiserver",
      groups: [],
      names: [
        ...["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
        "kubernetes.default.svc.cluster.local",
      ].map((name) => `DNS:${name}`).concat(
        [control.address, API_SERVICE_ADDRESS, "127.0.0.1"].map((address) => `IP:${address}`),
      ),
    }),
    // Only its key speaks to kubelets, and it speaks to nobody else.
    pki.issue("apiserver-kubelet", { user: "kube-apiserver-kubelet", groups: ["system:masters"] }),
    pki.issue("admin", { user: "admin", groups: ["system:masters"] }),
    pki.issue("controllers", { user: "system:kube-controller-manager", groups: [] }),
    pki.issue("scheduler", { user: "system:kube-scheduler", groups: [] }),
    pki.issue("proxy", { user: "system:kube-proxy", groups: [] }),
  ]);
}

export function controlComponents(
  layout: ClusterLayout,
  tools: Tools,
  pki: Pki,
): readonly ComponentSpec[] {
  const { dir, control } = layout;
  const component = (
    name: string,
    ready: readonly string[],
    ...words: readonly string[]
  ): ComponentSpec => ({
    name,
    command: inNetns(control, ...words),
    env: environment([...tools.folders, tools.kubernetes], `${dir}/etcd`),
    ready: inNetns(control, ...ready),
    cgroup: name,
  });
  const asks = ["kubectl", `--kubeconfig=${dir}/scheduler.conf`, "get", "--raw"];
  const key = pki.key("service-accounts");
  return [
    component(
      "etcd",
      serves(2379, "/health"),
      "etcd",
      `--data-dir=${dir}/etcd/data`,
      `--listen-client-urls=${ETCD}`,
      `--advertise-client-urls=${ETCD}`,
      "--listen-peer-urls=http://127.0.0.1:2380",
      "--logger=zap",
    ),
    component(
      "apiserver",
      [...asks, "/readyz"],
      "kube-apiserver",
      `--etcd-servers=${ETCD}`,
      `--advertise-address=${control.address}`,
      `--secure-port=${API_PORT}`,
      `--service-cluster-ip-range=${SERVICE_SUBNET}`,
      `--client-ca-file=${pki.authority}`,
      `--tls-cert-file=${pki.certificate("apiserver")}`,
      `--tls-private-key-file=${pki.key("apiserver")}`,
      `--kubelet-client-certificate=${pki.certificate("apiserver-kubelet")}`,
      `--kubelet-client-key=${pki.key("apiserver-kubelet")}`,
      "--kubelet-preferred-address-types=InternalIP",
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      // Webhooks given by a service: dial its pods, since no kube-proxy runs beside the API server.
      "--enable-aggregator-routing=true",
    ),
    component(
      "controllers",
      accepts(10257),
      "kube-controller-manager",
      `--kubeconfig=${dir}/controllers.conf`,
      "--leader-elect=false",
      "--use-service-account-credentials=true",
      `--service-account-private-key-file=${key}`,
      `--root-ca-file=${pki.authority}`,
      `--cluster-signing-cert-file=${pki.authority}`,
      `--cluster-signing-key-file=${pki.key("ca")}`,
      `--cluster-cidr=${POD_SUBNET}`,
    ),
    component(
      "scheduler",
      accepts(10259),
      "kube-scheduler",
      `--kubeconfig=${dir}/scheduler.conf`,
      "--leader-elect=false",
    ),
  ];
}

/**
 * The door from this machine's loopback to the API server: a port there is all that the machine's own
 * network ever sees of the cluster.
 */
export function relayComponent({ control }: ClusterLayout, port: number): ComponentSpec {
  const program = new URL("relay.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const flags = ["-A", "--frozen", "--no-check", "--config", config];
  return {
    name: "relay",
    command: [
      ...[Deno.execPath(), "run", ...flags, program],
      ...[String(port), control.netns, String(API_PORT)],
    ],
    env: {
      ...environment([], "/tmp"),
      ...Object.fromEntries(
        ["DENO_DIR", "XDG_CACHE_HOME"].flatMap((name) => {
          const value = Deno.env.get(name);
          return value === undefined ? [] : [[name, value]];
        }),
      ),
    },
    ready: accepts(port),
    cgroup: "relay",
  };
}

/** What a daemon is started with; nothing of the user's own environment gets in. */
export function environment(
  folders: readonly string[],
  temporary: string,
): Readonly<Record<string, string>> {
  return {
    PATH: [...folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":"),
    HOME: Deno.env.get("HOME") ?? "/root",
    TMPDIR: temporary,
  };
}
