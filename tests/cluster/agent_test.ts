import assert from "node:assert/strict";
import type { NodeView } from "../../src/api/agent_protocol.ts";
import type { LanNodeStatus } from "../../src/api/lan_node.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster_node.ts";
import { type LabProcess, runProgram } from "../support/lab_process.ts";
import { rootTest } from "../support/netns_lab.ts";
import {
  lanObject,
  namespaceObject,
  networkObject,
  podObject,
} from "../support/product_objects.ts";
import { until } from "../support/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PROGRAM = "/opt/cni/bin/k8slan";
const KUBECONFIG = "/etc/kubernetes/agent.conf";
const NAMESPACE = "k8slan-system";
const LAN = `${NAMESPACE}/lan-test`;

/** Agents as processes of their nodes, without controller: all that they need is made by hand. */
rootTest("agentMain() serves the nodes of a cluster", async (t) => {
  await runProgram([`${ROOT}scripts/build`]);
  await using cluster = await startCluster({ nodes: 2 });
  await cluster.kubectl(["apply", "-f", `${ROOT}crds`]);
  await cluster.kubectl(["wait", "--for=condition=Established", "crd/lans.lan.k8slan.io"]);
  await cluster.apply(namespaceObject(NAMESPACE));
  await cluster.apply([seedLan(cluster), ...networks()]);
  await using stage = new Stage(cluster);
  for (const node of cluster.nodes) {
    await node.run(["cp", `${ROOT}dist/k8slan`, PROGRAM]);
    await giveKubeconfig(cluster, node);
    await stage.start(node);
  }
  for (const [title, step] of Object.entries(STEPS)) {
    await t.step(title, async () => {
      await step(stage).catch((cause) => {
        throw new Error(`${cause}\n${stage.log}`, { cause });
      });
    });
  }
});

/** The administrator's, with the address that the API server has for nodes. */
async function giveKubeconfig(cluster: TestCluster, node: ClusterNode): Promise<void> {
  const own = await node.run(["cat", "/etc/kubernetes/kubelet.conf"]);
  const server = /https:\/\/[^\s"]+/.exec(own)?.[0];
  assert.ok(server !== undefined);
  const text = await Deno.readTextFile(cluster.kubeconfig);
  const stdin = text.replace(/https:\/\/[^\s"]+/, server);
  await node.run(["sh", "-c", `umask 077; cat > ${KUBECONFIG}`], { stdin });
}

/** The LAN of the seed document. */
function seedLan({ nodes }: TestCluster) {
  return lanObject("lan-test", {
    ...{ ns: "knlvrf", bridge: "br2", vxlan: "vx2", vni: 222, defaultVxlanDev: "eth0.10" },
    vxlanDevMap: Object.fromEntries(nodes.map(({ name }) => [name, "eth1"])),
    spokes: ["pod1", "pod2", "pod3"],
  }, NAMESPACE);
}

function networks() {
  const config = (name: string, rest: object) => ({
    ...{ cniVersion: "1.0.0", name, type: "k8slan", lan: LAN },
    ...rest,
  });
  const spokes = ["pod1", "pod2", "pod3"].map((spoke) => {
    const macvtap = config(spoke, { spoke, attach: "macvtap" });
    return networkObject(spoke, macvtap, { namespace: NAMESPACE, device: spoke });
  });
  const any = config("lan-test-any", { attach: "veth" });
  return [...spokes, networkObject("lan-test-any", any, { namespace: NAMESPACE })];
}

class Stage implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly #agents = new Map<ClusterNode, LabProcess>();

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  async start(node: ClusterNode): Promise<void> {
    const options = ["--node", node.name, "--kubeconfig", KUBECONFIG, "--log-level", "debug"];
    const agent = node.spawn([PROGRAM, "agent", ...options]);
    this.#agents.set(node, agent);
    await agent.waitFor(/Agent is ready/);
  }

  async stop(node: ClusterNode, signal: Deno.Signal): Promise<void> {
    const agent = this.#agents.get(node);
    agent?.kill(signal);
    await agent?.ended;
  }

  get nodes(): readonly [ClusterNode, ClusterNode] {
    const [one, two] = this.cluster.nodes;
    assert.ok(one !== undefined && two !== undefined);
    return [one, two];
  }

  get log(): string {
    return [...this.#agents].map(([node, { output }]) => `${node.name}:\n${output}`).join("\n");
  }

  async view(node: ClusterNode): Promise<NodeView> {
    return JSON.parse(await node.run([PROGRAM, "status", "-o", "json"]).catch(() => "{}"));
  }

  async allocatable(node: ClusterNode, spoke: string): Promise<string | undefined> {
    const text = await this.cluster.kubectl(["get", "node", node.name, "-o", "json"]);
    return JSON.parse(text).status.allocatable[`macvtap.k8slan.io/${spoke}`];
  }

  async report(node: ClusterNode): Promise<LanNodeStatus | undefined> {
    const args = ["get", "lannode", node.name, "-o", "json", "--ignore-not-found"];
    return JSON.parse(await this.cluster.kubectl(args) || "{}").status;
  }

  /** A pod on the LAN with this address on it. */
  async pod(name: string, node: ClusterNode, network: string, address: string): Promise<void> {
    const spokes = network.endsWith("-any") ? [] : [network];
    const options = { namespace: NAMESPACE, node, networks: network, spokes };
    await this.cluster.apply(podObject(name, options));
    await this.cluster.podReady(name, { namespace: NAMESPACE });
    await this.exec(name, "ip", "addr", "add", address, "dev", "net1");
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.cluster.kubectl(["delete", "pod", "-n", NAMESPACE, "--now", ...names]);
  }

  exec(name: string, ...args: readonly string[]): Promise<string> {
    return this.cluster.kubectl(["exec", "-n", NAMESPACE, name, "--", ...args]);
  }

  async ping(name: string, address: string): Promise<void> {
    await this.exec(name, "ping", "-c", "1", "-w", "10", address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents.values()) await agent[Symbol.asyncDispose]();
  }
}

const STEPS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  async "offers each spoke on each node"(stage) {
    for (const node of stage.nodes) {
      for (const spoke of ["pod1", "pod2", "pod3"]) {
        await until(`${spoke} can be had on ${node.name}`, async () => {
          return await stage.allocatable(node, spoke) === "1";
        });
      }
    }
  },

  async "attaches pods of two nodes by macvtap, and they reach each other"(stage) {
    const [one, two] = stage.nodes;
    await stage.pod("a", one, "pod1", "192.0.2.1/24");
    await stage.pod("b", two, "pod2", "192.0.2.2/24");
    await stage.ping("a", "192.0.2.2");
  },

  async "attaches pods by veth, and they reach the others"(stage) {
    const [one, two] = stage.nodes;
    await stage.pod("c", one, "lan-test-any", "192.0.2.3/24");
    await stage.pod("d", two, "lan-test-any", "192.0.2.4/24");
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.4"]) await stage.ping("c", address);
  },

  async "reports what is attached, and keeps the spoke from other nodes"(stage) {
    const [one, two] = stage.nodes;
    const report = await until("the report has both", async () => {
      const found = await stage.report(one);
      return found?.attached === 2 && found;
    });
    assert.deepEqual(report.attachments?.map(({ spoke, pod }) => [spoke, pod?.name]), [
      [undefined, "c"],
      ["pod1", "a"],
    ]);
    assert.deepEqual([report.problems, report.lans?.[0]?.ready], [undefined, true]);
    await until("pod1 cannot be had elsewhere", async () => {
      return await stage.allocatable(two, "pod1") === "0";
    });
    await assert.rejects(
      two.run([PROGRAM, "attach", "--lan", LAN, "--spoke", "pod1", "--netns", "1"]),
      new RegExp(`attached to pod "${NAMESPACE}/a" on node "${one.name}"`),
    );
  },

  async "refuses a macvtap to a pod that does not ask for the device"(stage) {
    const [one] = stage.nodes;
    const options = { namespace: NAMESPACE, node: one, networks: "thief" };
    const config = { cniVersion: "1.0.0", name: "thief", type: "k8slan", lan: LAN, spoke: "pod3" };
    await stage.cluster.apply([
      networkObject("thief", config, { namespace: NAMESPACE }),
      podObject("thief", options),
    ]);
    await until("it is told why", async () => {
      const events = ["get", "events", "-n", NAMESPACE, "-o", "json"];
      return /does not hold the device of spoke/.test(await stage.cluster.kubectl(events));
    }, { timeout: 30_000 });
    await stage.remove("thief");
  },

  async "attaches and detaches while the API server is away, also after a start"(stage) {
    const [one] = stage.nodes;
    await stage.cluster.apiServer.pause();
    try {
      await stage.stop(one, "SIGKILL");
      await stage.start(one);
      await until("it serves", async () => (await stage.view(one)).lans?.[0]?.state === "Active");
      await one.run(["ip", "netns", "add", "hand"]);
      const at = ["--netns", "hand", "--ifname", "eth9"];
      await one.run([PROGRAM, "attach", "--lan", LAN, "--spoke", "pod3", ...at]);
      await one.run([PROGRAM, "detach", ...at]);
      await one.run(["ip", "netns", "del", "hand"]);
    } finally {
      await stage.cluster.apiServer.resume();
    }
    await stage.ping("a", "192.0.2.2");
    await until("the report says so", async () => (await stage.report(one))?.attached === 2, {
      timeout: 90_000,
    });
  },

  async "withdraws a LAN that is deleted, and leaves what is attached"(stage) {
    const [one, two] = stage.nodes;
    await stage.cluster.kubectl(["delete", "lan", "-n", NAMESPACE, "lan-test", "--wait=false"]);
    await until("its devices are gone", async () => {
      return (await stage.allocatable(two, "pod3") ?? "0") === "0";
    });
    await stage.ping("a", "192.0.2.2");
    await stage.remove("a", "b", "c", "d");
    for (const node of [one, two]) {
      await until("nothing is left", async () => {
        const { lans, attachments } = await stage.view(node);
        return lans.length === 0 && attachments.length === 0;
      });
      assert.equal(await node.run(["ls", "/run/k8slan/netns"]), "");
    }
  },
};
