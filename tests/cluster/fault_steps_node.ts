/** What may befall pods, their sandboxes, kubelet and the agent of a node. */

import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { DAEMON_SET_NAME, SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { type FaultStage, type FaultStep, isThere } from "../support/fault_stage.ts";
import { podObject } from "../support/product_objects.ts";
import { report } from "../support/say.ts";
import { until } from "../support/until.ts";

/** After kubelet serves again, devices are there again in 2 s; a busy machine may take so much. Milliseconds. */
const BACK_MS = 6_000;

export const NODE_STEPS: Readonly<Record<string, FaultStep>> = {
  async "a pod that is deleted, even by force, takes its own links and no others"(stage) {
    const { product, worker1, worker2 } = stage;
    await stage.lan("gone", 31, ["a"]);
    await stage.pods({
      tap: { node: worker1.node, networks: "a", spokes: ["a"] },
      one: { node: worker1.node, networks: "gone-any" },
      two: { node: worker2.node, networks: "gone-any" },
    });
    const tap = worker1.tapPath("a");
    ok(isThere(tap));
    await product.cluster.kubectl(["delete", "pod", "tap", "--force", "--grace-period=0"]);
    await until("its tap is gone", () => !isThere(tap));
    await stage.untilAttached("gone", 2);
    await stage.reaches(await worker1.end("one"), await worker2.end("two"));
    await product.cluster.kubectl(["delete", "pod", "one", "--wait"]);
    await stage.untilAttached("gone", 1);
    deepStrictEqual(await stage.lansOn(worker1), ["calm"]);
    ok((await stage.lansOn(worker2)).includes("gone"));
  },

  async "a sandbox that is killed is attached anew, by the same tap"(stage) {
    const { worker1, worker2 } = stage;
    await stage.lan("box", 32, ["a"]);
    await stage.pods({
      tap: { node: worker1.node, networks: "a", spokes: ["a"] },
      other: { node: worker2.node, networks: "box-any" },
    });
    const path = worker1.tapPath("a");
    const before = await worker1.node.sandboxPid("tap");
    const allocations = await stage.figure(worker1.node, ALLOCATIONS);
    await worker1.node.killSandbox("tap");
    const started = performance.now();
    await until("it has another sandbox, in which it can use its tap", async () => {
      notStrictEqual(await worker1.node.sandboxPid("tap"), before);
      await openTap(stage, "tap", path);
      return true;
    }, { timeout: 30_000, interval: 100 });
    report("sandbox killed, pod attached anew", started);
    strictEqual(await stage.figure(worker1.node, ALLOCATIONS), allocations);
    await bothWays(stage, "tap", "other");
    await stage.untilAttached("box", 2);
  },

  async "a container that restarts has its tap again, and its pod's link never went"(stage) {
    const { worker1, worker2 } = stage;
    await stage.lan("cont", 33, ["a"]);
    await stage.pods({
      tap: { node: worker1.node, networks: "a", spokes: ["a"] },
      other: { node: worker2.node, networks: "cont-any" },
    });
    const sandbox = await worker1.node.sandboxPid("tap");
    const pid = await worker1.node.containerPid("main", "default", "tap");
    ok(pid !== undefined);
    Deno.kill(pid, "SIGKILL");
    await until("it has another container, in which it can use its tap", async () => {
      strictEqual(await restarts(stage, "tap"), 1);
      await openTap(stage, "tap", worker1.tapPath("a"));
      return true;
    }, { timeout: 30_000, interval: 100 });
    strictEqual(await worker1.node.sandboxPid("tap"), sandbox);
    await bothWays(stage, "tap", "other");
  },

  async "kubelet that is killed finds the devices again, and pods run on"(stage) {
    const { product, worker1: { node } } = stage;
    await stage.lan("let", 34, ["a", "b", "c"]);
    await stage.pods({ tap: { node, networks: "a", spokes: ["a"] } });
    const sandbox = await node.sandboxPid("tap");
    const offered = (await stage.worker1.allocatable()).length;
    await node.kubelet.stop("SIGKILL");
    const before = await stage.figure(node, REGISTRATIONS);
    await node.kubelet.start();
    const started = performance.now();
    await until("all devices are registered anew", async () => {
      return await stage.figure(node, REGISTRATIONS) >= before + offered;
    }, { timeout: BACK_MS, interval: 50 });
    await stage.untilOffered(["a", "b", "c"], { nodes: [stage.worker1], timeout: BACK_MS });
    report("kubelet serves, devices allocatable", started);
    await stage.pods({ next: { node, networks: "b", spokes: ["b"] } });
    report("kubelet serves, another pod with a tap runs", started);
    strictEqual(await node.sandboxPid("tap"), sandbox);
    strictEqual(await restarts(stage, "tap"), 0);
    strictEqual((await product.pod("tap"))?.status?.phase, "Running");
  },

  async "an agent that is killed while it attaches sixteen pods attaches them all"(stage) {
    const { product, worker1, worker2 } = stage;
    const spokes = Array.from({ length: 8 }, (_, at) => `s${at}`);
    await stage.lan("burst", 35, spokes);
    await stage.pods({ other: { node: worker2.node, networks: "burst-any" } });
    const names = spokes.flatMap((spoke) => [`tap-${spoke}`, `any-${spoke}`]);
    const started = performance.now();
    const before = await worker1.agentPid();
    await product.cluster.apply(spokes.flatMap((spoke) => [
      podObject(`tap-${spoke}`, { node: worker1.node, networks: spoke, spokes: [spoke] }),
      podObject(`any-${spoke}`, { node: worker1.node, networks: "burst-any" }),
    ]));
    await until("some are attached", () => {
      return spokes.filter((spoke) => isThere(worker1.tapPath(spoke))).length >= 2;
    }, { timeout: 30_000, interval: 1 });
    Deno.kill(before, "SIGKILL");
    const made = spokes.filter((spoke) => isThere(worker1.tapPath(spoke))).length;
    ok(made < spokes.length, "all taps were there before the agent was killed");
    await worker1.agentReady({ before });
    report("agent killed while attaching, ready again", started);
    for (const name of names) await product.untilRunning(name, { timeout: 90_000 });
    report("sixteen pods run though the agent was killed meanwhile", started);
    await stage.untilAttached("burst", 17);
    strictEqual(spokes.filter((spoke) => isThere(worker1.tapPath(spoke))).length, spokes.length);
    const end = await worker2.end("other");
    for (const name of names) await stage.reaches(await worker1.end(name), end);
  },

  async "an upgrade replaces every agent, and pods come and go meanwhile"(stage) {
    const { product, worker1, worker2 } = stage;
    await stage.lan("fresh", 36, ["a", "b"]);
    await stage.pods({ tap: { node: worker1.node, networks: "a", spokes: ["a"] } });
    const before = await Promise.all([worker1.agentPid(), worker2.agentPid()]);
    const started = performance.now();
    const rollout = ["-n", SYSTEM_NAMESPACE, "rollout"];
    await product.cluster.kubectl([...rollout, "restart", `daemonset/${DAEMON_SET_NAME}`]);
    await product.cluster.kubectl(["delete", "pod", "tap", "--wait=false"]);
    await product.cluster.apply([
      podObject("new1", { node: worker1.node, networks: "fresh-any" }),
      podObject("new2", { node: worker2.node, networks: "b", spokes: ["b"] }),
    ]);
    await product.ready();
    report("every agent replaced", started);
    for (const name of ["new1", "new2"]) await product.untilRunning(name, { timeout: 60_000 });
    report("pods of that time run", started);
    const after = await Promise.all([worker1.agentPid(), worker2.agentPid()]);
    ok(after.every((pid, at) => pid !== before[at]));
    await until("the tap is gone", () => !isThere(worker1.tapPath("a")));
    await stage.untilAttached("fresh", 2);
    await bothWays(stage, "new1", "new2");
  },

  async "with no agent attached pods work, deleted ones go, and new ones wait for it"(stage) {
    const { product, worker1, worker2 } = stage;
    const { cluster } = product;
    await stage.lan("alone", 37, ["a"]);
    await stage.pods({
      tap: { node: worker1.node, networks: "a", spokes: ["a"] },
      stays: { node: worker1.node, networks: "alone-any" },
      other: { node: worker2.node, networks: "alone-any" },
    });
    await selectNodes(stage, { nowhere: "yes" });
    try {
      await until("no agent runs", async () => {
        for (const node of product.nodes) {
          if (await node.node.containerPid("agent", SYSTEM_NAMESPACE) !== undefined) return false;
        }
        return true;
      }, { timeout: 30_000, interval: 100 });
      await stage.reaches(await worker1.end("stays"), await worker2.end("other"));
      await cluster.kubectl(["delete", "pod", "tap", "--wait", "--timeout=20s"]);
      await cluster.apply([podObject("waits", { node: worker1.node, networks: "alone-any" })]);
      await product.podEvent("waits", /FailedCreatePodSandBox.*agent/);
    } finally {
      await selectNodes(stage, { nowhere: null });
    }
    const started = performance.now();
    await product.ready();
    report("agents let in again and ready", started);
    await product.untilRunning("waits", { timeout: 60_000 });
    report("the pod that waited for the agent runs", started);
    await stage.untilAttached("alone", 3);
    ok(!isThere(worker1.tapPath("a")));
    await stage.untilOffered(["a"]);
    await bothWays(stage, "waits", "other");
  },

  async "an agent whose pod is deleted is back, and nothing happened"(stage) {
    const { product, worker1 } = stage;
    const before = await worker1.agentPid();
    const inSystem = ["-n", SYSTEM_NAMESPACE];
    await product.cluster.kubectl(["delete", "pod", ...inSystem, await worker1.agentPod()]);
    await worker1.agentReady({ before });
    await stage.lan("again", 38, ["a"]);
    await stage.pods({ tap: { node: worker1.node, networks: "a", spokes: ["a"] } });
  },
};

const ALLOCATIONS = "k8slan_agent_device_allocations_total";
const REGISTRATIONS = "k8slan_agent_device_registrations_total";

/** Opens a tap from within a pod; throws if the pod can't. */
async function openTap({ product }: FaultStage, pod: string, path: string): Promise<void> {
  await product.exec(pod, ["sh", "-c", `exec 3<>${path}`]);
}

/** Fails if frames of a pod on worker1 do not reach one on worker2, or the other way round. */
async function bothWays(stage: FaultStage, one: string, other: string): Promise<void> {
  const ends = [await stage.worker1.end(one), await stage.worker2.end(other)] as const;
  await stage.reaches(ends[0], ends[1]);
  await stage.reaches(ends[1], ends[0]);
}

async function restarts({ product }: FaultStage, pod: string): Promise<number> {
  return (await product.pod(pod))?.status?.containerStatuses?.[0]?.restartCount ?? NaN;
}

/** Lets agents run on nodes with these labels only; null takes one away. */
async function selectNodes(
  { product }: FaultStage,
  nodeSelector: Readonly<Record<string, string | null>>,
): Promise<void> {
  const patch = { spec: { template: { spec: { nodeSelector } } } };
  const name = ["daemonset", DAEMON_SET_NAME, "-n", SYSTEM_NAMESPACE];
  await product.cluster.kubectl(["patch", ...name, `--patch=${JSON.stringify(patch)}`]);
}
