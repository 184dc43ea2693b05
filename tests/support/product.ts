/**
 * The product as users get it, in a cluster of a test: its image on every node and its manifest
 * applied.
 *
 *     await using cluster = await startCluster({ nodes: 2 });
 *     const product = await installProduct(cluster);
 *     await product.step(t, "pods reach each other", async () => { … });
 */

import {
  CONTROLLER_NAME,
  DAEMON_SET_NAME,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  SYSTEM_NAMESPACE,
} from "../../src/api/names.ts";
import type { LanCondition } from "../../src/api/lan_status.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { kubeconfigAccess } from "../../src/kube/kubeconfig_access.ts";
import {
  EVENTS,
  LAN_NODES,
  type LanObject,
  LANS,
  NETWORK_ATTACHMENT_DEFINITIONS,
} from "../../src/kube/resources.ts";
import type { TestCluster } from "./cluster.ts";
import { type PodObject, PODS } from "./pod_objects.ts";
import { loadProductImage } from "./product_image.ts";
import { ProductNode } from "./product_node.ts";
import { TEST_LABEL } from "./product_objects.ts";
import { until } from "./until.ts";

const MANIFEST = new URL("../../deploy/k8slan.yaml", import.meta.url).pathname;
const READY_SECONDS = 90;
const CLEAN_MS = 30_000;

export interface InstallOptions {
  /** Path of the manifest. */
  readonly manifest?: string;
}

/** Installs the product, and waits until all of it is ready; throws with what it says otherwise. */
export async function installProduct(
  cluster: TestCluster,
  { manifest = MANIFEST }: InstallOptions = {},
): Promise<Product> {
  await loadProductImage(cluster);
  const access = await kubeconfigAccess([cluster.kubeconfig]);
  const product = new Product(cluster, new FetchKubeApi(access, { userAgent: "test" }));
  try {
    await cluster.kubectl(["apply", "-f", manifest]);
    await product.ready();
    return product;
  } catch (cause) {
    const report = await product.report();
    product[Symbol.dispose]();
    throw new Error(`The product did not get ready\n${report}`, { cause });
  }
}

/** For JSON: what was heard of other nodes comes by and by, and is nothing that was made. */
function withoutProbe(key: string, value: unknown): unknown {
  return key === "probe" ? undefined : value;
}

export class Product implements Disposable {
  readonly cluster: TestCluster;
  /** As administrator. */
  readonly api: FetchKubeApi;
  readonly nodes: readonly ProductNode[];
  /** Spokes of all LANs that there have been. */
  readonly #spokes = new Set<string>();

  constructor(cluster: TestCluster, api: FetchKubeApi) {
    this.cluster = cluster;
    this.api = api;
    this.nodes = cluster.nodes.map((node) => new ProductNode(api, node));
  }

  /** `worker1`, … */
  node(shortName: string): ProductNode {
    const found = this.nodes.find(({ node }) => node.shortName === shortName);
    if (found === undefined) throw new Error(`The cluster has no node "${shortName}"`);
    return found;
  }

  /** Waits until every agent and the controllers are ready. */
  async ready(seconds = READY_SECONDS): Promise<void> {
    for (const workload of [`daemonset/${DAEMON_SET_NAME}`, `deployment/${CONTROLLER_NAME}`]) {
      const rollout = ["rollout", "status", workload, "-n", SYSTEM_NAMESPACE];
      await this.cluster.kubectl([...rollout, `--timeout=${seconds}s`]);
    }
  }

  /**
   * A step of a test. Afterwards everything that the test made is deleted, and the product must have
   * left nothing of it; when the step fails, the error tells what the product says.
   */
  async step(t: Deno.TestContext, title: string, run: () => Promise<void>): Promise<void> {
    await t.step(title, async () => {
      try {
        await run();
      } catch (cause) {
        const report = await this.report();
        await this.clean().catch(() => {}); // the next step may do without
        throw new Error(`${cause instanceof Error ? cause.message : cause}\n${report}`, { cause });
      }
      await this.clean();
    });
  }

  /** Deletes what tests have made, and waits until nothing of the product's work is left. */
  async clean(): Promise<void> {
    await this.#noteSpokes();
    const kinds = "deployments.apps,pods,lans.lan.k8slan.io,net-attach-def";
    const selected = ["--all-namespaces", "-l", TEST_LABEL, "--ignore-not-found"];
    await this.cluster.kubectl(["delete", kinds, ...selected, "--timeout=30s"]);
    await this.cluster.kubectl([
      ...["delete", "namespaces", "-l", TEST_LABEL, "--ignore-not-found", "--timeout=30s"],
    ]);
    let left: readonly string[] = [];
    await until("nothing is left", async () => {
      left = await this.leftovers();
      return left.length === 0;
    }, { timeout: CLEAN_MS, interval: 200 }).catch((cause) => {
      throw new Error(`Left over:\n  ${left.join("\n  ")}`, { cause });
    });
  }

  /** All that the product has made anywhere for LANs, their definitions and workloads. */
  async leftovers(): Promise<readonly string[]> {
    await this.#noteSpokes();
    const onNodes = await Promise.all(this.nodes.map((node) => node.leftovers(this.#spokes)));
    const allocatable = await Promise.all(this.nodes.map((node) => node.allocatable()));
    const labelSelector = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
    const networks = (await this.api.list(NETWORK_ATTACHMENT_DEFINITIONS, { labelSelector })).items;
    const lanNodes = (await this.api.list(LAN_NODES)).items;
    return [
      ...onNodes.flat(),
      ...allocatable.flatMap((names, at) =>
        names.map((name) => `${this.nodes[at]?.node.shortName}: device of ${name}`)
      ),
      ...networks.map(({ metadata }) => `network ${metadata.name}`),
      ...(await this.api.list(LANS)).items.map(({ metadata }) => `LAN ${metadata.name}`),
      ...lanNodes.filter(({ status }) => status?.attached !== 0 || status.lans?.length).map(
        ({ metadata, status }) =>
          `LANNode ${metadata.name}: ${JSON.stringify(status, withoutProbe)}`,
      ),
    ];
  }

  async #noteSpokes(): Promise<void> {
    for (const { spec } of (await this.api.list(LANS)).items) {
      const { spokes = [] } = spec as { readonly spokes?: readonly string[] };
      for (const spoke of spokes) this.#spokes.add(spoke);
    }
  }

  /** The LAN. Throws when there is none. */
  async lan(name: string, namespace = "default"): Promise<LanObject> {
    const found = await this.api.get(LANS, { name, namespace });
    if (found === undefined) throw new Error(`There is no LAN "${namespace}/${name}"`);
    return found;
  }

  /** Waits until there is no such LAN. */
  async untilNoLan(name: string, timeout: number, namespace = "default"): Promise<void> {
    await until(`LAN "${namespace}/${name}" is gone`, async () => {
      return await this.api.get(LANS, { name, namespace }) === undefined;
    }, { timeout, interval: 50 });
  }

  /** Names of the network definitions in a namespace. */
  async networks(namespace: string): Promise<readonly string[]> {
    const { items } = await this.api.list(NETWORK_ATTACHMENT_DEFINITIONS, { namespace });
    return items.map(({ metadata }) => metadata.name).sort();
  }

  /** A line of `kubectl get lan`, by its columns. */
  async row(name: string, namespace = "default"): Promise<Readonly<Record<string, string>>> {
    const [head, line] = (await this.cluster.kubectl(["get", "lan", name, "-n", namespace]))
      .split("\n").map((line) => line.trim().split(/\s{2,}/));
    return Object.fromEntries((head ?? []).map((column, at) => [column, line?.[at] ?? ""]));
  }

  /** A condition of a LAN. Throws while it has none of that type. */
  async condition(name: string, type: string, namespace = "default"): Promise<LanCondition> {
    const { status } = await this.lan(name, namespace);
    const found = status?.conditions?.find((condition) => condition.type === type);
    if (found === undefined) throw new Error(`LAN "${namespace}/${name}" has no "${type}" yet`);
    return found;
  }

  /** Milliseconds until a LAN has a condition with this reason, and maybe a message like this. */
  async untilCondition(
    name: string,
    type: string,
    reason: string,
    { message = /./, timeout = 15_000, namespace = "default" } = {},
  ): Promise<number> {
    const started = performance.now();
    let last: unknown;
    await until(
      `${type} of LAN "${name}" has reason "${reason}" and message ${message}`,
      async () => {
        const condition = last = await this.condition(name, type, namespace);
        return condition.reason === reason && message.test(condition.message);
      },
      { timeout, interval: 20 },
    ).catch((cause) => {
      throw new Error(`${cause.message}; found ${JSON.stringify(last)}`, { cause });
    });
    return performance.now() - started;
  }

  /** Milliseconds until pods on these nodes can get the devices of exactly these spokes. */
  async untilAllocatable(
    spokes: readonly string[],
    { nodes = this.nodes, timeout = 10_000 } = {},
  ): Promise<number> {
    const started = performance.now();
    const wanted = JSON.stringify([...spokes].sort());
    let found: unknown;
    await until(`devices ${wanted} on every node`, async () => {
      const lists = found = await Promise.all(nodes.map((node) => node.allocatable()));
      return lists.every((list) => JSON.stringify(list) === wanted);
    }, { timeout, interval: 50 }).catch((cause) => {
      throw new Error(`${cause.message}; found ${JSON.stringify(found)}`, { cause });
    });
    return performance.now() - started;
  }

  /** Reasons and notes of the events about an object, the oldest first. */
  async events(kind: string, name: string, namespace = "default"): Promise<readonly string[]> {
    const { items } = await this.api.list(EVENTS, { namespace });
    return items
      .filter(({ regarding }) => regarding?.kind === kind && regarding.name === name)
      .map(({ reason, note }) => `${reason}: ${note}`);
  }

  /** The event about a pod that matches, once there is one. */
  async podEvent(name: string, pattern: RegExp, namespace = "default"): Promise<string> {
    let last: readonly string[] = [];
    return await until(`an event of pod "${name}" matches ${pattern}`, async () => {
      last = await this.events("Pod", name, namespace);
      return last.find((text) => pattern.test(text));
    }, { timeout: 20_000, interval: 100 }).catch((cause) => {
      throw new Error(`${cause.message}; found:\n  ${last.join("\n  ")}`, { cause });
    });
  }

  /** `kubectl exec` in a pod. */
  async exec(pod: string, command: readonly string[], namespace = "default"): Promise<string> {
    return await this.cluster.kubectl(["exec", pod, "-n", namespace, "--", ...command]);
  }

  /** Milliseconds until a pod runs. Throws with its description when it takes too long. */
  async untilRunning(name: string, { namespace = "default", timeout = 30_000 } = {}) {
    const started = performance.now();
    await until(`pod "${name}" runs`, async () => {
      return (await this.pod(name, namespace))?.status?.phase === "Running";
    }, { timeout, interval: 20 }).catch(async (cause) => {
      const about = await this.cluster.kubectl(["describe", "pod", name, "-n", namespace])
        .catch(String);
      throw new Error(`${cause.message}\n${about}`, { cause });
    });
    return performance.now() - started;
  }

  /** The pod, or undefined if there is none. */
  async pod(name: string, namespace = "default"): Promise<PodObject | undefined> {
    return await this.api.get(PODS, { name, namespace });
  }

  /** Everything by which a failure can be understood. */
  async report(): Promise<string> {
    const kubectl = (...args: readonly string[]) => this.cluster.kubectl(args).catch(String);
    const inSystem = ["-n", SYSTEM_NAMESPACE];
    const parts = [
      await kubectl("get", "pods,lans,net-attach-def", "-A", "-o=wide"),
      await kubectl("describe", "lans", "-A"),
      await kubectl("get", "lannodes", "-o=yaml"),
      await kubectl("describe", "pods", ...inSystem),
      await kubectl("get", "events", "-A", "--sort-by=.lastTimestamp"),
      await kubectl("logs", ...inSystem, "-l", CONTROLLERS, "--prefix", "--tail=60"),
      ...await Promise.all(
        this.nodes.map(async (node) => {
          const pod = await node.agentPod().catch(String);
          return `${node.name}:\n${await kubectl("logs", ...inSystem, pod)}`;
        }),
      ),
      (await this.leftovers().catch((error) => [String(error)])).join("\n"),
    ];
    return parts.map((part) => part.slice(-REPORT_PART_CHARS)).join("\n----\n");
  }

  [Symbol.dispose](): void {
    this.api[Symbol.dispose]();
  }
}

const CONTROLLERS = "app.kubernetes.io/component=controller";
const REPORT_PART_CHARS = 6_000;
