/**
 * A real Kubernetes cluster for a test, and handles on its parts; see docs/cluster.md.
 *
 *     await using cluster = await startCluster({ nodes: 2 });
 *     await cluster.apply(manifest);
 *     await cluster.nodes[0].kubelet.restart();
 */

import {
  type Cluster,
  downCluster,
  kubectl as runKubectl,
  upCluster,
} from "../../scripts/local_cluster/cluster.ts";
import { loadImage } from "../../scripts/local_cluster/images.ts";
import { DIR_PREFIX } from "../../scripts/local_cluster/layout.ts";
import { nodeEnvironment } from "../../scripts/local_cluster/node.ts";
import { ClusterNode } from "./cluster_node.ts";
import { ComponentHandle } from "./cluster_component.ts";

export interface ClusterOptions {
  /** `worker1`, `worker2`, …, each with the cluster's name in front. */
  readonly nodes: number;
}

/**
 * Starts a cluster of its own for this test, in 10 to 20 s once everything it needs is at hand. Throws
 * with the last lines of a log when it does not come up.
 */
export async function startCluster({ nodes }: ClusterOptions): Promise<TestCluster> {
  await removeAbandoned();
  const name = `${NAME_PREFIX}${Deno.pid}-${crypto.randomUUID().slice(0, 4)}`;
  try {
    // deno-lint-ignore no-console -- obtaining what is missing takes minutes, and a test must say why
    return new TestCluster(await upCluster({ name, nodes, say: (line) => console.log(line) }));
  } catch (error) {
    await downCluster(name);
    throw error;
  }
}

export class TestCluster implements AsyncDisposable {
  readonly name: string;
  /** The folder with everything of the cluster on disk. */
  readonly dir: string;
  /** Of the administrator; reaches the API server from anywhere on this machine. */
  readonly kubeconfig: string;
  /** What gives pods their further interfaces: multus or its stand-in, and why. */
  readonly attacher: string;
  readonly nodes: readonly ClusterNode[];
  readonly etcd: ComponentHandle;
  readonly apiServer: ComponentHandle;
  readonly controllers: ComponentHandle;
  readonly scheduler: ComponentHandle;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    const { layout, components } = cluster;
    this.#cluster = cluster;
    this.name = layout.name;
    this.dir = layout.dir;
    this.kubeconfig = layout.kubeconfig;
    this.attacher = cluster.state.attacher;
    this.nodes = layout.nodes.map((node) => new ClusterNode(cluster, node));
    this.etcd = new ComponentHandle(components, "etcd");
    this.apiServer = new ComponentHandle(components, "apiserver");
    this.controllers = new ComponentHandle(components, "controllers");
    this.scheduler = new ComponentHandle(components, "scheduler");
  }

  /** `worker1`, …; throws when there is no such node. */
  node(shortName: string): ClusterNode {
    const found = this.nodes.find((node) => node.shortName === shortName);
    if (found === undefined) throw new Error(`The cluster has no node "${shortName}"`);
    return found;
  }

  /** Runs kubectl as administrator and returns what it writes. Throws when it fails. */
  kubectl(args: readonly string[], stdin?: string): Promise<string> {
    return runKubectl(this.#cluster, args, stdin);
  }

  /** Creates or changes objects: one, several, or the text of a manifest. */
  async apply(objects: string | object | readonly object[]): Promise<void> {
    const list = Array.isArray(objects) ? objects : [objects];
    const text = typeof objects === "string"
      ? objects
      : JSON.stringify({ apiVersion: "v1", kind: "List", items: list });
    await this.kubectl(["apply", "-f", "-"], text);
  }

  /** Waits until a pod is ready; throws with what is known about it when it takes too long. */
  async podReady(name: string, { namespace = "default", seconds = 60 } = {}): Promise<void> {
    const pod = [`--namespace=${namespace}`, `pod/${name}`];
    const wait = ["wait", "--for=condition=Ready", `--timeout=${seconds}s`, ...pod];
    try {
      await this.kubectl(wait);
    } catch (cause) {
      throw new Error(await this.kubectl(["describe", ...pod]).catch(String), { cause });
    }
  }

  /** Gives an OCI or docker archive to every node, and returns the names of its images. */
  async loadImage(archive: string): Promise<readonly string[]> {
    const env = nodeEnvironment(this.#cluster.state.tools);
    const loaded = this.#cluster.layout.nodes.map((node) => loadImage(node, env, archive));
    return (await Promise.all(loaded))[0] ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await downCluster(this.name);
  }
}

const NAME_PREFIX = "test-";

/** What a test run that was killed left behind. */
async function removeAbandoned(): Promise<void> {
  const parent = DIR_PREFIX.slice(0, DIR_PREFIX.lastIndexOf("/"));
  for await (const { name: folder } of Deno.readDir(parent)) {
    const name = `${parent}/${folder}`.replace(DIR_PREFIX, "");
    const pid = new RegExp(`^${NAME_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined) continue;
    const isRunning = await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
    if (!isRunning) await downCluster(name);
  }
}
