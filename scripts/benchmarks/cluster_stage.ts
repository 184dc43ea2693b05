/** A cluster of two nodes with the product installed, as the row "cluster" measures it. */

import { CONTROLLER_NAME, RESOURCE_PREFIX, SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { PodResources } from "../../src/deviceplugin/pod_resources.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { kubeconfigAccess } from "../../src/kube/kubeconfig_access.ts";
import {
  type LanObject,
  LANS,
  LEASES,
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
  type Node,
  NODES,
} from "../../src/kube/resources.ts";
import { OWN_NETWORKS } from "../../src/controller/networks.ts";
import type { TestCluster } from "../../tests/support/cluster.ts";
import { PODS } from "../../tests/support/pod_objects.ts";
import { installProduct, type Product } from "../../tests/support/product.ts";
import { lanObject } from "../../tests/support/product_objects.ts";
import type { ProductNode } from "../../tests/support/product_node.ts";
import { until } from "../../tests/support/until.ts";
import { pause } from "./bench.ts";
import { Follower } from "./cluster_follower.ts";

export const NAMESPACE = "default";
const KUBELET_SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock";
const KUBELET_LOOK = { timeout: 60_000, interval: 50 };
/**
 * Each look is an answer with all devices, which kubelet and this process take from what is measured:
 * few while so many more are on their way that the next ones cannot be the last. Milliseconds.
 */
const FAR_PAUSE = 250;
const FAR = 100;
const UNLIMITED = { perSecond: 10_000, burst: 10_000 };

export interface Leader {
  /** Of the process, never used again. */
  readonly identity: string;
  readonly pod: string;
  readonly node: StageNode;
}

export interface StageNode {
  readonly product: ProductNode;
  readonly kubelet: PodResources;
}

export class ClusterStage implements AsyncDisposable {
  readonly product: Product;
  readonly api: FetchKubeApi;
  readonly nodes: readonly [StageNode, StageNode];
  readonly lans: Follower<LanObject>;
  readonly networks: Follower<NetworkAttachmentDefinition>;
  readonly #nodeObjects: Follower<Node>;

  private constructor(product: Product, api: FetchKubeApi, nodes: readonly StageNode[]) {
    const [one, two] = nodes;
    if (one === undefined || two === undefined) throw new Error("The cluster lacks a node");
    this.product = product;
    this.api = api;
    this.nodes = [one, two];
    this.lans = new Follower(api, LANS);
    this.networks = new Follower(api, NETWORK_ATTACHMENT_DEFINITIONS, {
      labelSelector: OWN_NETWORKS,
    });
    this.#nodeObjects = new Follower(api, NODES);
  }

  /** Installs the product and waits until it is ready. */
  static async open(cluster: TestCluster): Promise<ClusterStage> {
    const product = await installProduct(cluster);
    const access = await kubeconfigAccess([cluster.kubeconfig]);
    const nodes = product.nodes.map(async (node) => ({
      product: node,
      kubelet: new PodResources(await node.node.path(KUBELET_SOCKET)),
    }));
    const api = new FetchKubeApi(access, { userAgent: "bench", ...UNLIMITED });
    return new ClusterStage(product, api, await Promise.all(nodes));
  }

  /** Everything that went wrong, for whoever has to understand it. */
  async explained<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${why}\n${await this.product.report()}`, { cause });
    }
  }

  /** When kubelet of a node has so many devices of ours to give. As `performance.now()`. */
  async untilGiven({ kubelet, product }: StageNode, count: number): Promise<number> {
    let found = -1;
    const what = `kubelet of ${product.name} has ${count} devices`;
    return await until(what, async () => {
      const names = [...(await kubelet.allocatable()).keys()];
      found = names.filter((name) => name.startsWith(`${RESOURCE_PREFIX}/`)).length;
      if (Math.abs(found - count) > FAR) await pause(FAR_PAUSE);
      return found === count && performance.now();
    }, KUBELET_LOOK).catch((cause) => {
      throw new Error(`${cause.message}; it has ${found}`, { cause });
    });
  }

  /** When every node's status has so many devices to give, which is what the scheduler goes by. */
  async untilAllocatable(count: number): Promise<number> {
    return await this.#nodeObjects.until(
      `each node has ${count} devices in its status`,
      (nodes) => nodes.size === this.nodes.length && nodes.values().every(has(count)),
    );
  }

  /** Who acts as controller, in which pod, and where that runs. */
  async leader(): Promise<Leader> {
    const key = { namespace: SYSTEM_NAMESPACE, name: CONTROLLER_NAME };
    const lease = await this.api.get(LEASES, key);
    const identity = lease?.spec?.holderIdentity ?? "";
    // The pod's name and something random.
    const pod = identity.replace(/_[^_]*$/, "");
    const object = await this.api.get(PODS, { namespace: SYSTEM_NAMESPACE, name: pod });
    const node = this.nodes.find(({ product }) => product.name === object?.spec.nodeName);
    if (node === undefined) throw new Error(`Controller "${pod}" runs on no node`);
    return { identity, pod, node };
  }

  /** Process of the controller on a node. */
  async controllerPid({ product: { node, name } }: StageNode): Promise<number> {
    const pid = await node.containerPid("controller", SYSTEM_NAMESPACE);
    if (pid === undefined) throw new Error(`No controller runs on node "${name}"`);
    return pid;
  }

  async kubeletPid({ product: { node, name } }: StageNode): Promise<number> {
    const pid = await node.kubelet.pid();
    if (pid === undefined) throw new Error(`No kubelet runs on node "${name}"`);
    return pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const follower of [this.lans, this.networks, this.#nodeObjects]) {
      await follower[Symbol.asyncDispose]();
    }
    this.api[Symbol.dispose]();
    this.product[Symbol.dispose]();
  }
}

function has(count: number): (node: Node) => boolean {
  return ({ status }) => {
    const allocatable = Object.entries(status?.allocatable ?? {});
    const given = allocatable.filter(([name, amount]) =>
      name.startsWith(`${RESOURCE_PREFIX}/`) && amount !== "0"
    );
    return given.length === count;
  };
}

/** LAN number `at`, with names that no other number has. */
export function clusterLan(at: number) {
  const id = at.toString(36).padStart(4, "0");
  const spokes = Array.from({ length: SPOKES }, (_, spoke) => `s${id}-${spoke}`);
  const own = { ns: `n${id}`, vni: 10_000 + at, spokes };
  const lan = lanObject(`lan-${id}`, own, NAMESPACE);
  return { ...lan, spec: { ...lan.spec, ...own } };
}

export const SPOKES = 4;
/** For each spoke a macvtap and a veth, and one for all. */
export const NETWORKS = 2 * SPOKES + 1;

export function isReady({ status }: LanObject): boolean {
  return status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
}
