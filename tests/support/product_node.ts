/** The product on one node of a cluster, in the hands of a test. */

import { DAEMON_SET_NAME, RESOURCE_PREFIX, SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { AGENTS_SELECTOR } from "../../src/controller/agent_pods.ts";
import { tapIndex } from "../../src/plan/identity.ts";
import type { KubeApi } from "../../src/kube/kube_api.ts";
import { NODES } from "../../src/kube/resources.ts";
import type { ClusterNode } from "./cluster_node.ts";
import type { IpLink } from "./netns_lab.ts";
import type { StreamEnd } from "./numbered_stream.ts";
import { isPodReady, type PodObject, PODS } from "./pod_objects.ts";
import { until } from "./until.ts";

export class ProductNode {
  readonly node: ClusterNode;
  readonly #api: KubeApi;

  constructor(api: KubeApi, node: ClusterNode) {
    this.#api = api;
    this.node = node;
  }

  get name(): string {
    return this.node.name;
  }

  /** Name of the agent's pod. Throws when there is none. */
  async agentPod(): Promise<string> {
    return (await this.#agentObject()).metadata.name;
  }

  async #agentObject(): Promise<PodObject> {
    const { items: [pod] } = await this.#api.list(PODS, {
      namespace: SYSTEM_NAMESPACE,
      labelSelector: AGENTS_SELECTOR,
      fieldSelector: `spec.nodeName=${this.name}`,
    });
    if (pod === undefined) throw new Error(`${DAEMON_SET_NAME} has no pod on node "${this.name}"`);
    return pod;
  }

  /** The agent's process. Throws while none runs. */
  async agentPid(): Promise<number> {
    const pid = await this.node.containerPid("agent", SYSTEM_NAMESPACE);
    if (pid === undefined) throw new Error(`No agent runs on node "${this.name}"`);
    return pid;
  }

  /** Ends the agent without a chance to tidy up; kubelet starts another. */
  async killAgent(): Promise<void> {
    Deno.kill(await this.agentPid(), "SIGKILL");
  }

  /** Waits until an agent other than the process `before` is ready for pods. */
  async agentReady({ before, seconds = 60 }: { before?: number; seconds?: number } = {}) {
    await until(`the agent on node "${this.name}" is ready`, async () => {
      if (await this.agentPid() === before) return false;
      if (!isPodReady(await this.#agentObject())) return false;
      // Its readiness is looked at from time to time only, and may be the one before.
      await this.status();
      return true;
    }, { timeout: seconds * 1_000, interval: 200 });
  }

  /** Runs the command line that the agent has installed on the node. */
  async cli(args: readonly string[]): Promise<string> {
    return await this.node.run(["/opt/cni/bin/k8slan", ...args]);
  }

  /** `k8slan status`, as JSON. */
  async status(): Promise<unknown> {
    return JSON.parse(await this.cli(["status", "--output", "json"]));
  }

  /** Links of the node's own network namespace. */
  async links(): Promise<readonly IpLink[]> {
    return JSON.parse(await this.node.run(["ip", "-d", "-j", "link"]));
  }

  /** Where a pod's frames are seen; it must run here. */
  async end(pod: string, ifname = "net1", namespace = "default"): Promise<StreamEnd> {
    return { netns: `/proc/${await this.node.sandboxPid(pod, namespace)}/ns/net`, ifname };
  }

  /** The device file of a spoke that is attached here for the first time or as always. */
  tapPath(spoke: string): string {
    return `/dev/tap${tapIndex(this.name, spoke, 0)}`;
  }

  /** What is ours on this node beside the agent itself: nothing, once nothing is attached. */
  async leftovers(spokes: Iterable<string>): Promise<readonly string[]> {
    const links = (await this.links()).filter(({ ifalias = "" }) => /^k8slan\b/.test(ifalias));
    const listed = await this.node.run(["sh", "-c", LISTING]);
    const taps = [...spokes].map((spoke) => this.tapPath(spoke)).filter(isThere);
    return [
      ...links.map(({ ifname, ifalias }) => `link ${ifname} (${ifalias})`),
      ...listed.split("\n").filter((line) => line !== ""),
      ...taps,
    ].map((what) => `${this.node.shortName}: ${what}`);
  }

  /** Spokes whose device pods can get here, as the scheduler sees it. */
  async allocatable(): Promise<readonly string[]> {
    const node = await this.#api.get(NODES, { name: this.name });
    return Object.entries(node?.status?.allocatable ?? {})
      .filter(([name, count]) => name.startsWith(`${RESOURCE_PREFIX}/`) && count !== "0")
      .map(([name]) => name.slice(RESOURCE_PREFIX.length + 1)).sort();
  }
}

/** One line for each thing that is there. */
const LISTING = `
cd /run/k8slan 2>/dev/null && find netns deletes -mindepth 1 2>/dev/null
cd /var/lib/k8slan 2>/dev/null && find attachments -mindepth 1 2>/dev/null
ls -d /var/lib/kubelet/device-plugins/k8slan-* 2>/dev/null
awk '$5 ~ "^/run/k8slan/netns/" { print "mount " $5 }' /proc/self/mountinfo
exit 0
`;

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
