/** A node: its own view of the machine, and containerd, kubelet and kube-proxy in it. */

import { runProgram } from "../../tests/support/lab_process.ts";
import { makeCgroup } from "./cgroups.ts";
import { type ComponentSpec, serves } from "./components.ts";
import { API_PORT, environment } from "./control_plane.ts";
import { PAUSE_IMAGE } from "./images.ts";
import { type ClusterLayout, inNode, NODE_TOOLS, type NodeLayout, POD_SUBNET } from "./layout.ts";
import type { Pki } from "./pki.ts";
import type { Tools } from "./tools.ts";

const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/**
 * Settings that kubelet writes for the whole machine unless it finds them as it likes them. A node
 * sees these values; the machine's own stay.
 */
const KERNEL_SETTINGS: Readonly<Record<string, string>> = {
  "/proc/sys/vm/overcommit_memory": "1",
  "/proc/sys/vm/panic_on_oom": "0",
  "/proc/sys/kernel/panic": "10",
  "/proc/sys/kernel/panic_on_oops": "1",
  "/proc/sys/kernel/keys/root_maxkeys": "1000000",
  "/proc/sys/kernel/keys/root_maxbytes": "25000000",
};

/** The names of its components. */
export function nodeComponentNames({ shortName }: NodeLayout) {
  return {
    containerd: `containerd.${shortName}`,
    kubelet: `kubelet.${shortName}`,
    proxy: `proxy.${shortName}`,
  };
}

/** Lays down the files of a node and builds its view of the machine. Its namespaces exist. */
export async function makeNode(
  layout: ClusterLayout,
  node: NodeLayout,
  tools: Tools,
  pki: Pki,
): Promise<void> {
  await makeCgroup(`${layout.cgroup}/${node.shortName}/pods`);
  await pki.issue(node.name, { user: `system:node:${node.name}`, groups: ["system:nodes"] });
  const server = `https://${layout.control.address}:${API_PORT}`;
  const files: Record<string, string> = {
    "etc/hostname": `${node.name}\n`,
    "etc/containerd/config.toml": containerdConfig(),
    "etc/kubernetes/ca.crt": await Deno.readTextFile(pki.authority),
    "etc/kubernetes/kubelet.conf": await pki.kubeconfig(node.name, server),
    "etc/kubernetes/kubelet.json": JSON.stringify(kubeletConfig(layout, node), undefined, 2),
    "etc/kubernetes/proxy.conf": await pki.kubeconfig("proxy", server),
    "etc/kubernetes/proxy.json": JSON.stringify(proxyConfig(node), undefined, 2),
  };
  for (const [path, value] of Object.entries(KERNEL_SETTINGS)) {
    files[`settings${path}`] = `${value}\n`;
  }
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(`${node.dir}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${node.dir}/${path}`, text);
  }
  await runProgram(inNode(node, "sh", "-euc", viewScript(node, tools)));
}

/**
 * Run in the node's namespaces, where so far all mounts are copies of the machine's. Such a copy keeps
 * what is mounted alive, be it another's network namespace; so the node gets a root of its own, with
 * what it needs, and lets go of the rest.
 */
function viewScript({ dir, name }: NodeLayout, tools: Tools): string {
  const tool = (index: number) => `root${NODE_TOOLS}/${index}`;
  return [
    `cd '${dir}'`,
    `mkdir -p root var/lib/kubelet var/log var/tmp var/cache opt/cni/bin etc.work opt.work`,
    `ln -s /run var/run`,
    `cp -r '${tools.cniPlugins}/.' opt/cni/bin`,
    `mount --bind / root`,
    `awk '$5 ~ /^\\/usr(\\/|$)/ { print $5 }' /proc/self/mountinfo | while read -r path; do`,
    `  mount --bind "$path" "root$path"`,
    `done`,
    `mount --rbind /proc root/proc`,
    `mount --rbind /dev root/dev`,
    // sysfs shows the network devices of the namespace that it was mounted in.
    `mount -t sysfs sysfs root/sys`,
    `mount --rbind /sys/fs/cgroup root/sys/fs/cgroup`,
    // What lies in these folders of the machine is seen, and what the node writes is its own.
    `mount -t overlay -o lowerdir=/etc,upperdir=etc,workdir=etc.work overlay root/etc`,
    `mount -t overlay -o lowerdir=/opt,upperdir=opt,workdir=opt.work overlay root/opt`,
    `mount --bind var root/var`,
    ...Object.keys(KERNEL_SETTINGS).map((path) => `mount --bind settings${path} root${path}`),
    `mount -t tmpfs -o mode=755 tmpfs root/run`,
    ...nodeToolFolders(tools).flatMap((folder, index) => [
      `mkdir -p ${tool(index)}`,
      `mount --bind '${folder}' ${tool(index)}`,
    ]),
    `touch root${NODE_TOOLS}/deno`,
    `mount --bind '${Deno.execPath()}' root${NODE_TOOLS}/deno`,
    `mkdir root/run/machine`,
    `cd root`,
    `pivot_root . run/machine`,
    `umount -l /run/machine`,
    `rmdir /run/machine`,
    `mount --make-rshared /`,
    `hostname '${name}'`,
  ].join("\n");
}

function nodeToolFolders(tools: Tools): readonly string[] {
  return [tools.kubernetes, ...tools.folders];
}

/** PATH and the like of what runs in a node. */
export function nodeEnvironment(tools: Tools): Readonly<Record<string, string>> {
  const folders = nodeToolFolders(tools).map((_, index) => `${NODE_TOOLS}/${index}`);
  return environment(folders, "/var/tmp");
}

/** In the order in which they are to be started. */
export function nodeComponents(
  node: NodeLayout,
  tools: Tools,
): readonly ComponentSpec[] {
  const names = nodeComponentNames(node);
  const component = (
    kind: keyof typeof names,
    ready: readonly string[],
    ...words: readonly string[]
  ): ComponentSpec => ({
    name: names[kind],
    command: inNode(node, ...words),
    env: nodeEnvironment(tools),
    ready: inNode(node, ...ready),
    cgroup: `${node.shortName}/${kind}`,
  });
  return [
    component(
      "containerd",
      ["ctr", "version"],
      "containerd",
      "--config=/etc/containerd/config.toml",
    ),
    component(
      "kubelet",
      serves(10248, "/healthz"),
      "kubelet",
      "--config=/etc/kubernetes/kubelet.json",
      "--kubeconfig=/etc/kubernetes/kubelet.conf",
      `--hostname-override=${node.name}`,
      `--node-ip=${node.address}`,
    ),
    component(
      "proxy",
      serves(10256, "/healthz"),
      "kube-proxy",
      "--config=/etc/kubernetes/proxy.json",
      `--hostname-override=${node.name}`,
    ),
  ];
}

function containerdConfig(): string {
  return `version = 2
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Lowering a score needs CAP_SYS_RESOURCE, which is often missing within containers and VMs.
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"
`;
}

/** The network that every pod is on: a bridge on each node, and the routes of network.ts. */
export function podNetwork({ podSubnet }: NodeLayout) {
  return {
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [{
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: podSubnet }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    }],
  };
}

function kubeletConfig({ cgroup }: ClusterLayout, { address, shortName }: NodeLayout) {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: "/etc/kubernetes/ca.crt" },
    },
    authorization: { mode: "Webhook" },
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}/${shortName}/pods`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // The machine's disk is not the cluster's to clean, however full it is.
    evictionHard: {
      "imagefs.available": "0%",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    // None of these may be written without CAP_SYS_RESOURCE.
    oomScoreAdj: 0,
    maxOpenFiles: 20_000,
    // The default would be made in the machine's /usr.
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    makeIPTablesUtilChains: false,
    resolvConf: "",
    // New devices show up at once, not after up to 10 s.
    nodeStatusUpdateFrequency: "1s",
    nodeStatusReportFrequency: "5m",
    clusterDomain: "cluster.local",
    maxPods: 250,
  };
}

function proxyConfig({ name }: NodeLayout) {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: "/etc/kubernetes/proxy.conf" },
    hostnameOverride: name,
    mode: "nftables",
    clusterCIDR: POD_SUBNET,
    detectLocalMode: "ClusterCIDR",
    oomScoreAdj: 0,
    // These settings are the whole machine's and can't be written from a namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}
