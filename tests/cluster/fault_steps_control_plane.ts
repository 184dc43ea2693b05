/** What may befall etcd, the API server and the controllers. */

import { match, ok, strictEqual } from "node:assert/strict";
import { CONTROLLER_NAME, SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { LAN_NODES } from "../../src/kube/resources.ts";
import type { ClusterNode } from "../support/cluster_node.ts";
import type { FaultStage, FaultStep } from "../support/fault_stage.ts";
import { isThere } from "../support/fault_stage.ts";
import { lanObject, networkObject } from "../support/product_objects.ts";
import { report } from "../support/say.ts";
import { until } from "../support/until.ts";

/**
 * For each thing that is to be in sync after the API server is back, which takes 5 s where the machine
 * has nothing else to do. Milliseconds.
 */
const SYNC_MS = 20_000;
/** Another controller leads after 20 s; a busy machine may take so much. Milliseconds. */
const FAIL_OVER_MS = 60_000;

export const CONTROL_PLANE_STEPS: Readonly<Record<string, FaultStep>> = {
  async "with no API server known LANs are attached and detached, by a new agent too"(stage) {
    const { product, worker1 } = stage;
    const { cluster } = product;
    await stage.lan("known", 41, ["a", "b"]);
    await stage.pods({ tap: { node: worker1.node, networks: "a", spokes: ["a"] } });
    await stage.untilAttached("known", 1);
    const sandbox = await worker1.node.sandboxPid("tap");
    const { uid } = (await product.pod("tap"))?.metadata ?? { uid: "" };
    await using hand = await makeNetns(worker1.node, "hand");
    await cluster.apiServer.stop("SIGKILL");
    const stopped = performance.now();
    try {
      await attachByHand(worker1.node, "b");
      ok(isThere(worker1.tapPath("b")));
      await stage.reaches(hand, await worker1.end("tap"));
      await worker1.node.run([PLUGIN, "detach", "--netns", "hand"]);
      ok(!isThere(worker1.tapPath("b")));

      const before = await worker1.agentPid();
      Deno.kill(before, "SIGKILL");
      const killed = performance.now();
      await until("the new agent serves", async () => (await stage.view(worker1)).pid > 0, {
        timeout: 60_000,
        interval: 50,
      });
      report("no API server, agent killed, another serves", killed);
      await reattach(stage, "tap", uid);
      await attachByHand(worker1.node, "b");
      await stage.reaches(hand, await worker1.end("tap"));
      await until("the outage is long enough to be noticed by all", () => {
        return performance.now() - stopped >= OUTAGE_MS;
      }, { timeout: OUTAGE_MS, interval: 100 });
      await stage.reaches(await worker1.end("tap"), hand);
    } finally {
      await cluster.apiServer.start();
    }
    const back = performance.now();
    await cluster.apply(lanObject("late", { vni: 42, spokes: ["c"] }));
    await until("the node's report tells of both", async () => {
      const attachments = (await product.api.get(LAN_NODES, { name: worker1.name }))?.status
        ?.attachments;
      return ["a", "b"].every((wanted) => attachments?.some(({ spoke }) => spoke === wanted));
    }, { timeout: SYNC_MS, interval: 50 });
    report("API server back, node's report in sync", back);
    await stage.untilAttached("known", 2, SYNC_MS);
    report("API server back, LAN's status in sync", back);
    await product.untilCondition("late", "Ready", "Ready", { timeout: SYNC_MS });
    await stage.untilOffered(["c"], { timeout: SYNC_MS });
    report("API server back, a new LAN is ready and its devices allocatable", back);
    strictEqual(await worker1.node.sandboxPid("tap"), sandbox);
    await worker1.node.run([PLUGIN, "detach", "--netns", "hand"]);
    await stage.untilAttached("known", 1);
    // Those of Kubernetes look again after up to a minute only, unless they are started anew.
    const { controllers, scheduler, nodes } = cluster;
    await Promise.all(
      [controllers, scheduler, ...nodes.map(({ kubelet }) => kubelet)].map((it) => it.restart()),
    );
  },

  async "etcd that is killed and comes back is not noticed"(stage) {
    const { product, worker1 } = stage;
    await stage.lan("store", 43, ["a"]);
    const killed = performance.now();
    await product.cluster.etcd.restart("SIGKILL");
    report("etcd killed and back", killed);
    const started = performance.now();
    await until("a LAN can be written", async () => {
      await product.cluster.apply(lanObject("store2", { vni: 44, spokes: ["b"] }));
      return true;
    }, { interval: 100 });
    report("etcd back, a LAN can be written", started);
    await stage.untilOffered(["a", "b"], { timeout: SYNC_MS });
    report("etcd back, a new LAN's devices allocatable", started);
    await product.untilCondition("store2", "Ready", "Ready", { timeout: FAIL_OVER_MS + SYNC_MS });
    report("etcd back, the new LAN is ready", started);
    await stage.pods({ tap: { node: worker1.node, networks: "b", spokes: ["b"] } });
  },

  async "a leader that is killed is followed by another"(stage) {
    const { product } = stage;
    const before = await leader(stage);
    const { pid } = await controllerOf(stage, before);
    Deno.kill(pid, "SIGKILL");
    const started = performance.now();
    await product.cluster.apply(lanObject("orphan", { vni: 45, spokes: ["a"] }));
    await product.untilCondition("orphan", "Accepted", "Accepted", { timeout: FAIL_OVER_MS });
    report("leader killed, a LAN accepted by the next", started);
    ok(await leader(stage) !== before);
    await product.untilCondition("orphan", "Ready", "Ready");
    await product.ready();
  },

  async "a leader that hangs is followed by another, and does no harm when it wakes"(stage) {
    const { product } = stage;
    const before = await leader(stage);
    const { pid } = await controllerOf(stage, before);
    Deno.kill(pid, "SIGSTOP");
    const started = performance.now();
    try {
      await product.cluster.apply(lanObject("hung", { vni: 46, spokes: ["a"] }));
      await product.untilCondition("hung", "Accepted", "Accepted", { timeout: FAIL_OVER_MS });
      report("leader hangs, a LAN accepted by the next", started);
    } finally {
      Deno.kill(pid, "SIGCONT");
    }
    const after = await leader(stage);
    ok(after !== before);
    await product.untilCondition("hung", "Ready", "Ready");
    await product.ready();
    strictEqual(await leader(stage), after);
  },

  async "with no controller attached pods work, and known LANs take new ones"(stage) {
    const { product, worker1, worker2 } = stage;
    const { cluster } = product;
    await stage.lan("free", 47, ["a", "b"]);
    await stage.pods({ tap: { node: worker1.node, networks: "a", spokes: ["a"] } });
    await scaleControllers(stage, 0);
    try {
      await until("no controller runs", async () => (await controllerPods(stage)).length === 0, {
        timeout: 30_000,
        interval: 100,
      });
      await stage.pods({
        veth: { node: worker2.node, networks: "b-veth" },
        any: { node: worker1.node, networks: "free-any" },
      });
      await stage.reaches(await worker1.end("tap"), await worker2.end("veth"));
      await cluster.kubectl(["delete", "pod", "any", "--wait"]);
      // Agents decide for themselves; only the definitions are missing.
      await cluster.apply([
        lanObject("unled", { vni: 48, spokes: ["c"] }),
        networkObject("own-c", { cniVersion: "1.0.0", type: "k8slan" }, { device: "c" }),
      ]);
      await stage.untilOffered(["c"], { timeout: SYNC_MS });
      await stage.pods({ own: { node: worker2.node, networks: "own-c", spokes: ["c"] } });
    } finally {
      await scaleControllers(stage, 2);
    }
    const started = performance.now();
    await product.untilCondition("unled", "Ready", "Ready", { timeout: FAIL_OVER_MS });
    await stage.untilAttached("unled", 1);
    await stage.untilAttached("free", 2);
    report("controllers back, status in sync", started);
    match((await product.condition("free", "InUse")).message, /"default\/veth"/);
    await product.ready();
  },
};

const PLUGIN = "/opt/cni/bin/k8slan";
/** Longer than a leader's term, and than it takes until a silent node counts as lost. Milliseconds. */
const OUTAGE_MS = 60_000;

/** A network namespace on a node, for attaching by hand. */
async function makeNetns(node: ClusterNode, name: string) {
  await node.run(["ip", "netns", "add", name]);
  const path = await node.path(`/run/netns/${name}`);
  return {
    netns: path,
    ifname: "net1",
    async [Symbol.asyncDispose]() {
      await node.run([PLUGIN, "detach", "--netns", name]).catch(() => {});
      await node.run(["ip", "netns", "del", name]);
    },
  };
}

async function attachByHand(node: ClusterNode, spoke: string): Promise<void> {
  await node.run([PLUGIN, "attach", "--spoke", spoke, "--netns", "hand"]);
}

/** Detaches a pod and attaches it again, as a container runtime does. */
async function reattach(stage: FaultStage, pod: string, uid: string): Promise<void> {
  const { worker1 } = stage;
  const { attachments } = await stage.view(worker1);
  const found = attachments.find((attachment) => attachment.pod === `default/${pod}`);
  ok(found?.netns !== undefined && found.spoke !== undefined);
  const { containerId, ifname, netns, spoke } = found;
  const env = [
    `CNI_CONTAINERID=${containerId}`,
    `CNI_IFNAME=${ifname}`,
    `CNI_NETNS=${netns}`,
    "CNI_PATH=/opt/cni/bin",
    `CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_UID=${uid}`,
  ];
  const stdin = JSON.stringify({ cniVersion: "1.0.0", name: spoke, type: "k8slan", spoke });
  for (const verb of ["DEL", "ADD"]) {
    await worker1.node.run(["env", ...env, `CNI_COMMAND=${verb}`, PLUGIN], { stdin });
  }
}

/** The pod that leads. */
async function leader({ product }: FaultStage): Promise<string> {
  const path = "-o=jsonpath={.spec.holderIdentity}";
  const lease = ["get", "lease", CONTROLLER_NAME, "-n", SYSTEM_NAMESPACE, path];
  const holder = await product.cluster.kubectl(lease);
  ok(holder !== "", "nobody leads");
  return holder;
}

/** The process of a controller, by what it calls itself in the lease. */
async function controllerOf({ product }: FaultStage, identity: string) {
  const pod = identity.split("_")[0] ?? "";
  const { spec } = await product.pod(pod, SYSTEM_NAMESPACE) ?? {};
  const node = product.nodes.find(({ name }) => name === spec?.nodeName);
  const pid = await node?.node.containerPid("controller", SYSTEM_NAMESPACE, pod);
  ok(pid !== undefined, `no process of "${identity}"`);
  return { pod, pid };
}

async function scaleControllers({ product }: FaultStage, replicas: number): Promise<void> {
  const scale = ["scale", "deployment", CONTROLLER_NAME, "-n", SYSTEM_NAMESPACE];
  await product.cluster.kubectl([...scale, `--replicas=${replicas}`]);
}

async function controllerPods({ product }: FaultStage): Promise<readonly string[]> {
  const selector = ["-l", "app.kubernetes.io/component=controller"];
  const get = ["get", "pods", "-n", SYSTEM_NAMESPACE, "-o=name", ...selector];
  return (await product.cluster.kubectl(get)).split("\n").filter((line) => line !== "");
}
