/** LANs that go, and nodes that go. */

import { ok, strictEqual } from "node:assert/strict";
import { type FaultStage, type FaultStep, isThere } from "../support/fault_stage.ts";
import { LAN_NODES } from "../../src/kube/resources.ts";
import { powerOff, powerOn } from "../support/node_power.ts";
import { isPodReady } from "../support/pod_objects.ts";
import type { ProductNode } from "../support/product_node.ts";
import {
  deploymentObject,
  lanObject,
  networkObject,
  podObject,
} from "../support/product_objects.ts";
import { report } from "../support/say.ts";
import { until } from "../support/until.ts";

export const LAN_STEPS: Readonly<Record<string, FaultStep>> = {
  async "a LAN that is deleted while in use stays, says who uses it, and goes when they do"(stage) {
    const { product, worker1, worker2 } = stage;
    const { cluster } = product;
    await stage.lan("used", 51, ["a", "b"]);
    await stage.pods({
      tap: { node: worker1.node, networks: "a", spokes: ["a"] },
      any: { node: worker2.node, networks: "used-any" },
    });
    await stage.untilAttached("used", 2);
    await cluster.kubectl(["delete", "lan", "used", "--wait=false"]);
    const deleted = performance.now();
    const users = /"default\/tap".*"default\/any"|"default\/any".*"default\/tap"/s;
    await product.untilCondition("used", "Ready", "Deleting", { message: users });
    await until("its devices are withdrawn and its definitions gone", async () => {
      const lists = await Promise.all(product.nodes.map((node) => node.allocatable()));
      const networks = (await product.networks("default")).filter((name) => /used/.test(name));
      return !lists.flat().some((spoke) => ["a", "b"].includes(spoke)) && networks.length === 0;
    }, { timeout: 10_000, interval: 50 });
    report("LAN deleted while in use, offered no more", deleted);

    const config = { cniVersion: "1.0.0", type: "k8slan", lan: "used" };
    await cluster.apply([
      networkObject("late", config),
      podObject("late", { node: worker1.node, networks: "late" }),
    ]);
    await product.podEvent("late", /LAN "default\/used" is being deleted/);
    await cluster.kubectl(["delete", "pod", "late", "--wait"]);
    await stage.reaches(await worker1.end("tap"), await worker2.end("any"));
    await cluster.kubectl(["delete", "pod", "tap", "--wait"]);
    await product.untilCondition("used", "Ready", "Deleting", { message: /"default\/any"/ });
    await cluster.kubectl(["delete", "pod", "any", "--wait"]);
    const freed = performance.now();
    await product.untilNoLan("used", 15_000);
    report("LAN free, gone", freed);
  },

  async "a LAN that is made anew with another VNI is another LAN"(stage) {
    const { product, worker1, worker2 } = stage;
    const { cluster } = product;
    const pods = {
      tap: { node: worker1.node, networks: "a", spokes: ["a"] },
      any: { node: worker2.node, networks: "anew-any" },
    };
    for (const vni of [52, 53]) {
      const started = performance.now();
      await cluster.apply(lanObject("anew", { vni, spokes: ["a"] }));
      await product.untilCondition("anew", "Ready", "Ready");
      await stage.untilOffered(["a"]);
      report(`LAN with VNI ${vni} ready`, started);
      await stage.pods(pods);
      await stage.reaches(await worker1.end("tap"), await worker2.end("any"));
      for (const node of [worker1, worker2]) {
        strictEqual((await stage.view(node)).lans.find(({ lan }) => /anew/.test(lan))?.vni, vni);
        strictEqual(await vniOf(node, "anew"), vni);
      }
      // The next one is there before this one has gone.
      await cluster.kubectl(["delete", "pod,lan", "-l", "k8slan-test=yes", "--wait=false"]);
      await cluster.kubectl(["wait", "--for=delete", "lan/anew", "pod/tap", "pod/any"]);
    }
  },
};

/** These are about the second node as a whole. */
export const MACHINE_STEPS: Readonly<Record<string, FaultStep>> = {
  async "sandboxes and mounts that are lost come back with the same taps, unasked"(stage) {
    const { product, worker2 } = stage;
    const { node } = worker2;
    await stage.lan("lost", 61, ["a", "b"]);
    await stage.pods({
      tap: { node, networks: "a", spokes: ["a"] },
      veth: { node, networks: "lost-any" },
      other: { node: stage.worker1.node, networks: "lost-any" },
    });
    const path = worker2.tapPath("a");
    const agent = await worker2.agentPid();
    await node.kubelet.stop("SIGKILL");
    Deno.kill(agent, "SIGKILL");
    await until("the agent is gone", () => !isThere(`/proc/${agent}`));
    for (const pod of ["tap", "veth"]) await node.killSandbox(pod);
    await node.run(["sh", "-euc", EMPTY_RUN]);
    await node.kubelet.start();
    const started = performance.now();
    await comeBack(stage, ["tap", "veth"], started);
    await until("it can use its tap", async () => {
      await product.exec("tap", ["sh", "-c", `exec 3<>${path}`]);
      return true;
    }, { timeout: 60_000, interval: 200 });
    strictEqual(await stage.figure(node, "k8slan_agent_device_allocations_total"), 0);
    await stage.reaches(await worker2.end("tap"), await stage.worker1.end("other"));
    await stage.reaches(await stage.worker1.end("other"), await worker2.end("veth"));
  },

  async "a machine that reboots has its workloads back, with the same taps"(stage) {
    const { product, worker2 } = stage;
    const { cluster } = product;
    await stage.lan("boot", 62, ["a"]);
    const options = { node: worker2.node, networks: "a", spokes: ["a"] };
    // A pod of nobody's with a device is refused by kubelet, which starts before any device plugin.
    await cluster.apply(deploymentObject("owned", 1, options));
    await cluster.kubectl(["rollout", "status", "deployment/owned", "--timeout=30s"]);
    await stage.pods({
      veth: { node: worker2.node, networks: "boot-any" },
      other: { node: stage.worker1.node, networks: "boot-any" },
    });
    const path = worker2.tapPath("a");
    ok(isThere(path));
    await powerOff(cluster, worker2.node);
    await until("the tap is gone", () => !isThere(path));
    await powerOn(worker2.node);
    const started = performance.now();
    await comeBack(stage, ["veth"], started);
    const running = ["get", "pods", "-l", "app=owned", "--field-selector=status.phase=Running"];
    const owned = await until("a pod of the deployment runs", async () => {
      const names = await cluster.kubectl([...running, "-o=jsonpath={.items[*].metadata.name}"]);
      await product.exec(names, ["sh", "-c", `exec 3<>${path}`]);
      return names;
    }, { timeout: 90_000, interval: 200 });
    report("machine back, a pod of a deployment has its tap", started);
    await stage.reaches(await worker2.end(owned), await stage.worker1.end("other"));
    await stage.reaches(await stage.worker1.end("other"), await worker2.end("veth"));
    await product.ready();
  },

  async "a node that is removed for good holds no LAN, and comes back clean"(stage) {
    const { product, worker2 } = stage;
    const { cluster } = product;
    await stage.lan("left", 63, ["a"]);
    await stage.pods({
      tap: { node: worker2.node, networks: "a", spokes: ["a"] },
      any: { node: worker2.node, networks: "left-any" },
    });
    await stage.untilAttached("left", 2);
    // Pods run on, and so do their links: nobody may count on a node that it has really ended.
    const agent = await worker2.agentPid();
    await worker2.node.kubelet.stop("SIGKILL");
    await worker2.node.containerd.stop("SIGKILL");
    Deno.kill(agent, "SIGKILL");
    await cluster.kubectl(["delete", "lan", "left", "--wait=false"]);
    await product.untilCondition("left", "Ready", "Deleting", { message: /worker2/ });
    await cluster.kubectl(["delete", "node", worker2.name]);
    const removed = performance.now();
    await product.untilNoLan("left", 60_000);
    report("node removed, its LAN is gone", removed);
    await until("nothing is said of the node", async () => {
      return await product.api.get(LAN_NODES, { name: worker2.name }) === undefined;
    });
    await cluster.kubectl(["delete", "pod", "tap", "any", "--force", "--grace-period=0"]);
    ok(isThere(worker2.tapPath("a")));
    const started = performance.now();
    await powerOn(worker2.node);
    await worker2.agentReady({ before: agent });
    report("node back, its agent ready", started);
    await until("what was left is gone", async () => (await stage.lansOn(worker2)).length === 0, {
      timeout: 30_000,
      interval: 200,
    });
    report("node back, clean", started);
    ok(!isThere(worker2.tapPath("a")));
    await stage.lan("next", 64, ["a"]);
    await stage.pods({ tap: { node: worker2.node, networks: "a", spokes: ["a"] } });
  },
};

/** What a reboot does to the mounts of `/run/k8slan`. */
const EMPTY_RUN = `
awk '$5 ~ "^/run/k8slan/" { print $5 }' /proc/self/mountinfo | tac |
while read -r path; do umount -l "$path"; done
find /run/k8slan -mindepth 1 -delete
`;

/** Waits until pods have been made anew and run. */
async function comeBack({ product }: FaultStage, names: readonly string[], started: number) {
  for (const name of names) {
    await until(`pod "${name}" is back`, async () => {
      const pod = await product.pod(name);
      if (pod === undefined || !isPodReady(pod)) return false;
      return /net1/.test(await product.exec(name, ["ip", "link"]));
    }, { timeout: 90_000, interval: 200 }).catch(async (cause) => {
      const about = await product.cluster.kubectl(["describe", "pod", name]).catch(String);
      throw new Error(`${cause.message}\n${about}`, { cause });
    });
    report(`pod "${name}" is back`, started);
  }
}

/** The VNI of the VXLAN in a LAN's namespace. */
async function vniOf({ node }: ProductNode, ns: string): Promise<number | undefined> {
  const path = `/run/k8slan/netns/${ns}`;
  const text = await node.run(["nsenter", `--net=${path}`, "ip", "-d", "-j", "link"]);
  const links: readonly VxlanLink[] = JSON.parse(text);
  return links.find(({ linkinfo }) => linkinfo?.info_kind === "vxlan")?.linkinfo?.info_data?.id;
}

interface VxlanLink {
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly id?: number };
  };
}
