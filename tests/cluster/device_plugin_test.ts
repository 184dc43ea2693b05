import assert from "node:assert/strict";
import { median } from "../../scripts/benchmarks/stats.ts";
import { parseCniArgs } from "../../src/api/cni_args.ts";
import { Holders } from "../../src/cluster/holders.ts";
import { Migrations } from "../../src/cluster/migrations.ts";
import { isInformed } from "../../src/cluster/orphan_watch.ts";
import { PodGate } from "../../src/cluster/pod_gate.ts";
import { DevicePluginManager } from "../../src/deviceplugin/device_plugin_manager.ts";
import { startCluster } from "../support/cluster.ts";
import { devicesOf, manyResources, POD1 } from "../support/device_plugin_setting.ts";
import type { ResourceCount } from "../support/fake_kubelet.ts";
import { KUBELET_CONTRACT } from "../support/kubelet_contract.ts";
import { seedLan } from "../support/lan_fixture.ts";
import { LogRecorder } from "../support/log_recorder.ts";
import { rootTest } from "../support/netns_lab.ts";
import { NodeSetting } from "../support/node_setting.ts";
import { until } from "../support/until.ts";

/** Any device file that every machine has and containers do not. */
const DEVICE = "/dev/net/tun";

rootTest("DevicePluginManager with a real kubelet", async (t) => {
  await using cluster = await startCluster({ nodes: 1 });
  const [node] = cluster.nodes;
  assert.ok(node !== undefined);
  using setting = await NodeSetting.of(cluster, node);
  for (const [title, step] of Object.entries(STEPS)) {
    await t.step(title, () => step(setting));
  }
  for (const { name, run } of KUBELET_CONTRACT) {
    await t.step(`kubelet ${name}`, () => run(setting));
  }
});

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

  /** Ends as it is, like an agent that is stopped. */
  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#running;
    this.manager[Symbol.dispose]();
  }

  /** Withdraws everything, then ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.manager.setDevices(new Map());
    await pause(500);
    await this.stop();
  }
}

const STEPS: Readonly<Record<string, (setting: NodeSetting) => Promise<void>>> = {
  async "a device is allocatable, then unhealthy, then gone"(setting) {
    await using plugin = new Plugin(setting);
    const shows = (count: ResourceCount) => async () =>
      JSON.stringify(await setting.count(POD1)) === JSON.stringify(count);
    plugin.manager.setDevices(devicesOf([POD1]));
    report("one resource allocatable for kubelet", await setting.timeUntilAllocatable(1));
    await until("the node's status", shows({ capacity: 1, allocatable: 1 }), { timeout: 15_000 });
    plugin.manager.setDevices(devicesOf([POD1], { healthy: false }));
    await until("the node's status", shows({ capacity: 1, allocatable: 0 }), { timeout: 15_000 });
    plugin.manager.setDevices(devicesOf([POD1]));
    await until("the node's status", shows({ capacity: 1, allocatable: 1 }), { timeout: 15_000 });
    const started = performance.now();
    plugin.manager.setDevices(new Map());
    report("one resource withdrawn for kubelet", await setting.timeUntilAllocatable(0));
    await until("the node's status", shows({ capacity: 0, allocatable: 0 }), { timeout: 15_000 });
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

  async "kubelet tells of a pod's device while its interface is being attached"(setting) {
    const { cluster, node, resources, podResourcesSocket } = setting;
    await using plugin = new Plugin(setting);
    plugin.manager.setDevices(devicesOf([POD1]));
    await until("the node's status", async () => (await setting.count(POD1))?.allocatable === 1);
    await node.run(["sh", "-c", WAITING_PLUGIN_SETUP], { stdin: WAITING_PLUGIN });
    await cluster.apply([
      definition("waiting", { type: "waiting" }),
      podWith(setting, "waiter", POD1, "waiting"),
    ]);
    // The plugin stands still until its pipe is read, and then until the other is written to.
    const begun = await node.run(["cat", "/run/waiting-begun"]);
    const { pod } = parseCniArgs(begun.trim(), []);
    assert.equal(pod?.name, "waiter");
    const holders = new Holders(node.name);
    const migrations = new Migrations();
    const gate = new PodGate({ resources, holders, migrations, socket: podResourcesSocket });
    const lan = seedLan();
    const started = performance.now();
    await gate.admit({ lan, spoke: "pod1", attach: "macvtap", pod });
    report("a pod admitted by what kubelet says of it", performance.now() - started);
    await assert.rejects(gate.admit({ lan, spoke: "pod2", attach: "macvtap", pod }), (error) => {
      return /does not hold .* "pod2" .* but "macvtap.k8slan.io\/pod1"; add/.test(String(error));
    });
    assert.ok((await resources.list()).some(({ pod }) => pod === "waiter"));
    await node.run(["sh", "-c", "echo >/run/waiting-go"]);
    await cluster.podReady("waiter");
    await cluster.kubectl(["delete", "pod", "waiter", "--now"]);
    await until("no holder", async () => (await resources.list()).length === 0);
  },

  async "kubelet names all pods, but after a restart only once the API server has answered"(
    setting,
  ) {
    const { cluster, node, resources } = setting;
    await cluster.apply(podWith(setting, "plain"));
    await cluster.podReady("plain");
    const names = async () => (await resources.pods()).map(({ name }) => name);
    assert.ok((await names()).includes("plain"));
    await cluster.apiServer.pause();
    try {
      await node.kubelet.stop("SIGKILL");
      const starting = node.kubelet.start();
      const known = await until("kubelet to answer", () => resources.pods(), { timeout: 30_000 });
      assert.equal(isInformed(known, node.name), false, known.map(({ name }) => name).join());
      await node.sandboxPid("plain");
      await cluster.apiServer.resume();
      await starting;
    } finally {
      await cluster.apiServer.resume();
    }
    await until("the pod", async () => (await names()).includes("plain"), { timeout: 30_000 });
    assert.ok(isInformed(await resources.pods(), node.name));
    await cluster.kubectl(["delete", "pod", "plain", "--now"]);
  },

  async "an agent that starts again is back at kubelet at once"(setting) {
    const resources = manyResources(10);
    const back: number[] = [];
    const absent: number[] = [];
    const isInStatus = async () => {
      const { allocatable } = await setting.status();
      return resources.every((resource) => allocatable[resource] === "1");
    };
    let plugin = new Plugin(setting);
    try {
      plugin.manager.setDevices(devicesOf(resources));
      await until("the node's status", isInStatus, { timeout: 10_000 });
      for (let round = 0; round < 5; round++) {
        const started = performance.now();
        await plugin.stop();
        plugin = new Plugin(setting);
        plugin.manager.setDevices(devicesOf(resources));
        await until("kubelet to know all", async () => {
          return plugin.manager.counters.lists >= 10 && await setting.allocatable() === 10;
        }, { timeout: 20_000, interval: 2 });
        back.push(performance.now() - started);
        absent.push(await setting.timeWithout(isInStatus, 4_000));
      }
    } finally {
      await plugin[Symbol.asyncDispose]();
    }
    reportAll("ten resources back at kubelet after a restart of the agent", back);
    reportAll("and not in the node's status in between", absent);
    assert.ok(median(back) <= 2_000 && median(absent) <= 2_000);
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
      times.push(await setting.timeUntilAllocatable(10));
      await starting;
    }
    reportAll("ten resources back after a restart of kubelet", times);
    assert.ok(median(times) <= 2_000);
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

/** Says who it is for when it is to attach, and waits for leave to go on. */
const WAITING_PLUGIN = `#!/bin/sh
if [ "$CNI_COMMAND" = ADD ]; then
  echo "$CNI_ARGS" >/run/waiting-begun
  cat /run/waiting-go >/dev/null
fi
echo '{"cniVersion": "1.0.0"}'
`;
const WAITING_PLUGIN_SETUP =
  "cat >/opt/cni/bin/waiting && chmod 755 /opt/cni/bin/waiting && mkfifo /run/waiting-begun /run/waiting-go";

function definition(name: string, config: object): object {
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name },
    spec: { config: JSON.stringify({ cniVersion: "1.0.0", ...config }) },
  };
}

function podWith({ node }: NodeSetting, name: string, resource?: string, network?: string): object {
  const annotations = network === undefined ? {} : { "k8s.v1.cni.cncf.io/networks": network };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, annotations },
    spec: {
      nodeName: node.name,
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: "main",
        image: "k8slan.io/cluster/busybox:1",
        imagePullPolicy: "Never",
        command: ["sleep", "1000"],
        ...(resource === undefined ? {} : { resources: { limits: { [resource]: "1" } } }),
      }],
    },
  };
}

function report(what: string, ms: number): void {
  log(`${what}: ${Math.round(ms)} ms`);
}

function reportAll(what: string, times: readonly number[]): void {
  const [middle, most] = [median(times), Math.max(...times)].map(Math.round);
  log(`${what}: ${middle} ms, at most ${most} ms`);
}

function log(line: string): void {
  // deno-lint-ignore no-console -- figures to be read by who runs the test
  console.log(line);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
