/** A node of a cluster in the hands of a test. */

import type { Cluster } from "../../scripts/local_cluster/cluster.ts";
import { inNode, type NodeLayout } from "../../scripts/local_cluster/layout.ts";
import { nodeComponentNames, nodeEnvironment } from "../../scripts/local_cluster/node.ts";
import { ComponentHandle } from "./cluster_component.ts";
import { LabProcess, type RunOptions, runProgram } from "./lab_process.ts";

export class ClusterNode {
  /** As Kubernetes knows it; no other cluster on this machine has a node of that name. */
  readonly name: string;
  /** `worker1`, … */
  readonly shortName: string;
  /** IPv4 address of `eth0`. */
  readonly address: string;
  /** Path of its network namespace. */
  readonly netns: string;
  readonly kubelet: ComponentHandle;
  readonly containerd: ComponentHandle;
  readonly proxy: ComponentHandle;
  readonly #layout: NodeLayout;
  readonly #env: readonly string[];

  constructor({ components, state }: Cluster, layout: NodeLayout) {
    const names = nodeComponentNames(layout);
    this.#layout = layout;
    this.#env = Object.entries(nodeEnvironment(state.tools)).map(([key, value]) =>
      `${key}=${value}`
    );
    this.name = layout.name;
    this.shortName = layout.shortName;
    this.address = layout.address;
    this.netns = layout.netns;
    this.kubelet = new ComponentHandle(components, names.kubelet);
    this.containerd = new ComponentHandle(components, names.containerd);
    this.proxy = new ComponentHandle(components, names.proxy);
  }

  /** Runs a program in the node's namespaces. Throws with its output unless it exits with 0. */
  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return runProgram(this.#command(args), options);
  }

  /** Starts a program in the node's namespaces. It ends with the cluster at the latest. */
  spawn(args: readonly string[], options: RunOptions = {}): LabProcess {
    return new LabProcess(this.#command(args), options);
  }

  /**
   * Where this machine finds a path of the node, such as a socket. It leads there for as long as
   * containerd or kubelet runs.
   */
  async path(path: string): Promise<string> {
    const pid = await this.containerd.pid() ?? await this.kubelet.pid();
    if (pid === undefined) throw new Error(`Nothing runs on node "${this.name}"`);
    return `/proc/${pid}/root${path}`;
  }

  /** Process that holds the namespaces of a pod. Throws when the pod is not on this node. */
  async sandboxPid(pod: string, namespace = "default"): Promise<number> {
    return (await this.#sandbox(pod, namespace)).pid;
  }

  /** Kills what holds the namespaces of a pod; kubelet then makes the pod's containers anew. */
  async killSandbox(pod: string, namespace = "default"): Promise<void> {
    const { id } = await this.#sandbox(pod, namespace);
    await this.run(["ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", id]);
  }

  /** First process of the container of that name, in whichever pod it runs unless one is named. */
  async containerPid(
    container: string,
    namespace: string,
    pod?: string,
  ): Promise<number | undefined> {
    const task = await this.#task([
      `labels."io.kubernetes.container.name"==${container}`,
      `labels."io.kubernetes.pod.namespace"==${namespace}`,
      ...(pod === undefined ? [] : [`labels."io.kubernetes.pod.name"==${pod}`]),
    ]);
    return task?.pid;
  }

  async #sandbox(pod: string, namespace: string): Promise<{ id: string; pid: number }> {
    const task = await this.#task([
      `labels."io.kubernetes.pod.name"==${pod}`,
      `labels."io.kubernetes.pod.namespace"==${namespace}`,
      `labels."io.cri-containerd.kind"==sandbox`,
    ]);
    if (task !== undefined) return task;
    throw new Error(`Pod "${namespace}/${pod}" has no sandbox on node "${this.name}"`);
  }

  /** What runs of the containers with these labels. */
  async #task(selectors: readonly string[]): Promise<{ id: string; pid: number } | undefined> {
    const labels = selectors.join(",");
    const ids = (await this.run(["ctr", "-n", "k8s.io", "containers", "ls", "-q", labels])).split(
      "\n",
    );
    const tasks = (await this.run(["ctr", "-n", "k8s.io", "tasks", "ls"])).split("\n");
    for (const line of tasks) {
      // A dead one stays in the lists for a while beside its successor.
      const [id = "", pid, status] = line.split(/\s+/);
      if (ids.includes(id) && status === "RUNNING") return { id, pid: Number(pid) };
    }
    return undefined;
  }

  #command(args: readonly string[]): string[] {
    return inNode(this.#layout, "env", ...this.#env, ...args);
  }
}
