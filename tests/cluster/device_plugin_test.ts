import assert from "node:assert/strict";
import { DevicePluginManager } from "../../src/deviceplugin/device_plugin_manager.ts";
import { PodResources } from "../../src/deviceplugin/pod_resources.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import type { ClusterNode } from "../support/cluster_node.ts";
import { devicesOf, manyResources, POD1 } from "../support/device_plugin_setting.ts";
import type { ResourceCount } from "../support/fake_kubelet.ts";
import { KUBELET_CONTRACT, type KubeletWorld } from "../support/kubelet_contract.ts";
import { LogRecorder } from "../support/log_recorder.ts";
import { rootTest } from "../support/netns_lab.ts";
import { until } from "../support/until.ts";

const KUBELET = "/var/lib/kubelet";
/** Any device file that every machine has and containers do not. */
const DEVICE = "/dev/net/tun";

rootTest("DevicePluginManager with a real kubelet", async (t) => {
  await using cluster = await startCluster({ nodes: 1 });
  const [node] = cluster.nodes;
  assert.ok(node !== undefined);
  const setting = await NodeSetting.of(cluster, node);
  for (const [title, step] of Object.entries(STEPS)) {
    await t.step(title, () => step(setting));
  }
  for (const { name, run } of KUBELET_CONTRACT) {
    await t.step(`kubelet ${name}`, () => run(setting));
  }
});

/** A node as the device plugin sees it, and as the API server does. */
class NodeSetting implements KubeletWorld {
  readonly cluster: TestCluster;
  readonly node: ClusterNode;
  readonly folder: string;
  readonly podResourcesSocket: string;
  readonly resources: PodResources;

  static async of(cluster: TestCluster, node: ClusterNode): Promise<NodeSetting> {
    return new NodeSetting(cluster, node, await node.path(KUBELET));
  }

  constructor(cluster: TestCluster, node: ClusterNode, dir: string) {
    this.cluster = cluster;
    this.node = node;
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
    const text = await this.cluster.kubectl(["get", "node", this.node.name, "-o", "json"]);
    return JSON.parse(text).status;
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
}

/** A manager at work. */
class Plugin implements AsyncDisposable {
  readonly log = new LogRecorder();
  readonly manager: DevicePluginManager;
  readonly #controller = new AbortController();
  readonly #running: Promise<void>;

  constructor({ folder }: NodeSetting) {
    this.manager = new DevicePluginManager({ folder, pathOf: () => DEVICE, log: this.log });
    this.#running = this.manager.run(this.#controller.signal);
  }

  /** Withdraws everything, then ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.manager.setDevices(new Map());
    await pause(500);
    this.#controller.abort();
    await this.#running;
    this.manager[Symbol.dispose]();
  }
}

const STEPS: Readonly<Record<string, (setting: NodeSetting) => Promise<void>>> = {
  async "a device is allocatable, then unhealthy, then gone"(setting) {
    await using plugin = new Plugin(setting);
    const shows = (count: ResourceCount) => async () =>
      JSON.stringify(await setting.count(POD1)) === JSON.stringify(count);
    plugin.manager.setDevices(devicesOf([POD1]));
    report("one resource allocatable for kubelet", await setting.timeUntilAllocatable(1));
    await until("the node's status", shows({ capacity: 1, allocatable: 1 }), { timeout: 3_000 });
    plugin.manager.setDevices(devicesOf([POD1], { healthy: false }));
    await until("the node's status", shows({ capacity: 1, allocatable: 0 }), { timeout: 3_000 });
    plugin.manager.setDevices(devicesOf([POD1]));
    await until("the node's status", shows({ capacity: 1, allocatable: 1 }), { timeout: 3_000 });
    const started = performance.now();
    plugin.manager.setDevices(new Map());
    report("one resource withdrawn for kubelet", await setting.timeUntilAllocatable(0));
    await until("the node's status", shows({ capacity: 0, allocatable: 0 }), { timeout: 3_000 });
    report("one resource withdrawn in the node's status", performance.now() - started);
  },

  async "a pod gets the device, and kubelet tells who holds it"(setting) {
    await using plugin = new Plugin(setting);
    plugin.manager.setDevices(devicesOf([POD1]));
    await until("the node's status", async () => (await setting.count(POD1))?.allocatable === 1);
    await setting.cluster.apply(podWith(setting, "holder", POD1));
    await setting.cluster.podReady("holder");
    assert.deepEqual(await setting.resources.ofPod("default", "holder"), [{
      namespace: "default",
      pod: "holder",
      container: "main",
      resource: POD1,
      deviceId: "pod1",
    }]);
    assert.deepEqual(
      (await setting.resources.list()).map(({ pod, deviceId }) => [pod, deviceId]),
      [["holder", "pod1"]],
    );
    await setting.cluster.kubectl(["exec", "holder", "--", "test", "-c", DEVICE]);
    assert.equal(plugin.manager.counters.allocations, 1);
    // Neither an unhealthy device nor a restart of kubelet touches what runs.
    plugin.manager.setDevices(devicesOf([POD1], { healthy: false }));
    await setting.restart();
    await setting.cluster.podReady("holder");
    assert.equal(plugin.manager.counters.allocations, 1);
    await setting.cluster.kubectl(["delete", "pod", "holder", "--now"]);
    await until("no holder", async () => (await setting.resources.list()).length === 0);
  },

  async "kubelet finds its plugins 2 s after a restart, however it ended"(setting) {
    await using plugin = new Plugin(setting);
    plugin.manager.setDevices(devicesOf(manyResources(10)));
    await setting.timeUntilAllocatable(10);
    const times: number[] = [];
    for (let round = 0; round < 10; round++) {
      await setting.node.kubelet.stop(round % 2 === 0 ? "SIGKILL" : "SIGTERM");
      const starting = setting.node.kubelet.start();
      await until("kubelet to serve", async () => (await setting.allocatable()) >= 0, {
        timeout: 30_000,
        interval: 5,
      });
      times.push(await setting.timeUntilAllocatable(10, 2_000));
      await starting;
    }
    report("ten resources back after a restart of kubelet, at most", Math.max(...times));
  },

  async "400 resources come and go, and cost kubelet nothing while nothing changes"(setting) {
    const before = await setting.kubeletLoad(10);
    await using plugin = new Plugin(setting);
    const resources = manyResources(400);
    let started = performance.now();
    plugin.manager.setDevices(devicesOf(resources));
    await setting.timeUntilAllocatable(400);
    report("400 resources allocatable for kubelet", performance.now() - started);
    const inStatus = async (allocatable: string) => {
      const status = await setting.status();
      return resources.every((resource) => status.allocatable[resource] === allocatable);
    };
    await until("the node's status", () => inStatus("1"), { timeout: 20_000, interval: 100 });
    report("400 resources allocatable in the node's status", performance.now() - started);
    const { counters } = plugin.manager;
    const idle = await setting.kubeletLoad(10);
    assert.deepEqual(plugin.manager.counters, counters);
    assert.deepEqual([counters.lists, counters.registrations], [400, 400]);
    log(`kubelet: ${before} % of a processor without, ${idle} % with 400 resources`);
    started = performance.now();
    await setting.restart();
    await setting.timeUntilAllocatable(400);
    report(
      "400 resources back after a restart of kubelet and its start",
      performance.now() - started,
    );
    started = performance.now();
    plugin.manager.setDevices(new Map());
    await setting.timeUntilAllocatable(0);
    report("400 resources withdrawn for kubelet", performance.now() - started);
    await until("the node's status", () => inStatus("0"), { timeout: 20_000, interval: 100 });
    report("400 resources withdrawn in the node's status", performance.now() - started);
  },
};

function podWith({ node }: NodeSetting, name: string, resource: string): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      nodeName: node.name,
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: "main",
        image: "k8slan.io/cluster/busybox:1",
        imagePullPolicy: "Never",
        command: ["sleep", "1000"],
        resources: { limits: { [resource]: "1" } },
      }],
    },
  };
}

function report(what: string, ms: number): void {
  log(`${what}: ${Math.round(ms)} ms`);
}

function log(line: string): void {
  // deno-lint-ignore no-console -- figures to be read by who runs the test
  console.log(line);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
