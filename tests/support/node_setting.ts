/** A node of a cluster as the device plugin sees it, and as the API server does. */

import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { kubeconfigAccess } from "../../src/kube/kubeconfig_access.ts";
import { NODES } from "../../src/kube/resources.ts";
import { PodResources } from "../../src/deviceplugin/pod_resources.ts";
import type { TestCluster } from "./cluster.ts";
import type { ClusterNode } from "./cluster_node.ts";
import type { ResourceCount } from "./fake_kubelet.ts";
import type { KubeletWorld } from "./kubelet_contract.ts";
import { until } from "./until.ts";

const KUBELET = "/var/lib/kubelet";

export class NodeSetting implements KubeletWorld, Disposable {
  readonly cluster: TestCluster;
  readonly node: ClusterNode;
  readonly #api: FetchKubeApi;
  readonly folder: string;
  readonly podResourcesSocket: string;
  readonly resources: PodResources;

  static async of(cluster: TestCluster, node: ClusterNode): Promise<NodeSetting> {
    const dir = await node.path(KUBELET);
    const access = await kubeconfigAccess([cluster.kubeconfig]);
    return new NodeSetting(cluster, node, dir, new FetchKubeApi(access, { userAgent: "test" }));
  }

  constructor(cluster: TestCluster, node: ClusterNode, dir: string, api: FetchKubeApi) {
    this.cluster = cluster;
    this.node = node;
    this.#api = api;
    this.folder = `${dir}/device-plugins`;
    this.podResourcesSocket = `${dir}/pod-resources/kubelet.sock`;
    this.resources = new PodResources(this.podResourcesSocket);
  }

  async restart(): Promise<void> {
    await this.node.kubelet.restart("SIGKILL");
  }

  async count(resource: string): Promise<ResourceCount | undefined> {
    const { capacity, allocatable } = await this.status();
    if (capacity[resource] === undefined) return undefined;
    return { capacity: Number(capacity[resource]), allocatable: Number(allocatable[resource]) };
  }

  async status(): Promise<Record<"capacity" | "allocatable", Record<string, string>>> {
    const { status } = await this.#api.get(NODES, { name: this.node.name }) ?? {};
    return { capacity: status?.capacity ?? {}, allocatable: status?.allocatable ?? {} };
  }

  /** Resources of ours that kubelet gives to pods now. */
  async allocatable(): Promise<number> {
    let count = 0;
    for (const [resource, ids] of await this.resources.allocatable()) {
      if (resource.startsWith("macvtap.k8slan.io/") && ids.length > 0) count++;
    }
    return count;
  }

  /** Milliseconds until kubelet would give `count` resources to pods. */
  async timeUntilAllocatable(count: number, timeout = 60_000): Promise<number> {
    const started = performance.now();
    const what = `${count} allocatable resources`;
    await until(what, async () => await this.allocatable() === count, { timeout, interval: 20 });
    return performance.now() - started;
  }

  /** Milliseconds, of the next `ms`, in which `isThere` was last seen not to hold. */
  async timeWithout(isThere: () => Promise<boolean>, ms: number): Promise<number> {
    const started = performance.now();
    let last = 0;
    while (performance.now() - started < ms) {
      if (!await isThere()) last = performance.now() - started;
      await pause(20);
    }
    return last;
  }

  /** Percent of a processor that kubelet takes for `seconds`. */
  async kubeletLoad(seconds: number): Promise<number> {
    const pid = await this.node.kubelet.pid();
    const ticks = () => {
      const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const before = ticks();
    await pause(seconds * 1_000);
    return (ticks() - before) / seconds; // 100 ticks a second
  }

  [Symbol.dispose](): void {
    this.#api[Symbol.dispose]();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
