import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { median } from "../../scripts/benchmarks/stats.ts";
import { RESOURCE_PREFIX } from "../../src/api/names.ts";
import { startCluster } from "../support/cluster.ts";
import { rootTest } from "../support/netns_lab.ts";
import { installProduct, type Product } from "../support/product.ts";
import {
  deploymentObject,
  lanObject,
  namespaceObject,
  networkObject,
  podObject,
} from "../support/product_objects.ts";
import { report, say } from "../support/say.ts";
import { until } from "../support/until.ts";
import { LIVE_STEPS } from "./live_steps.ts";
import { MIGRATION_STEPS } from "./migration_steps.ts";
import { POD_STEPS } from "./pod_steps.ts";
import { PROBE_STEPS } from "./probe_steps.ts";
import { UNICAST_STEPS } from "./unicast_steps.ts";
import { VM_STEPS } from "./vm_steps.ts";

/** Within so much the status of a LAN has to be true again, as a rule. Milliseconds. */
const TRUTH_MS = 2_000;
/** A single time a busy machine may take so much. Milliseconds. */
const BUSY_TRUTH_MS = 3 * TRUTH_MS;

rootTest("k8slan, installed from its image and manifest", async (t) => {
  await using cluster = await startCluster({ nodes: 2 });
  say(`further interfaces come from ${cluster.attacher}`);
  const started = performance.now();
  using product = await installProduct(cluster);
  report("image loaded and product ready", started);
  for (const [title, run] of Object.entries(STEPS)) {
    await product.step(t, title, () => run(product));
  }
});

const STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "the document's LAN and pod, once the LAN is offered to the pod's namespace"(product) {
    const { cluster } = product;
    const lan = documentLan(product);
    await cluster.apply(lan);
    report(
      "LAN applied, devices allocatable",
      performance.now(),
      await product.untilAllocatable(["pod1", "pod2"]),
    );

    await cluster.apply([
      networkObject("vlan44", { cniVersion: "0.3.1", type: "macvtap" }, { device: "pod2" }),
      podObject("nginx", { networks: "vlan44", spokes: ["pod2"] }),
    ]);
    const refusal = await product.podEvent("nginx", /is not offered in namespace "default"/);
    match(refusal, /LAN "k8slan-system\/lan-test".*only in "k8slan-system".*spec\.namespaces/);

    await cluster.apply({
      ...lan,
      spec: { ...lan.spec, namespaces: ["k8slan-system", "default"] },
    });
    report(
      "LAN offered, the pod that waited for it runs",
      performance.now(),
      await product.untilRunning("nginx", { timeout: 60_000 }),
    );
    match(await product.exec("nginx", ["ip", "link", "show", "net1"]), /net1.*UP/);
    // Kubelet hands over the device file, whose owner is the one of virtual machines.
    const pod = await product.pod("nginx");
    const node = product.nodes.find(({ name }) => name === pod?.spec.nodeName);
    ok(node);
    match(await product.exec("nginx", ["ls", "-ln", node.tapPath("pod2")]), /^c.* 107 +107 /);
  },

  async "the document's pod in the LAN's own namespace, and another one that it talks to"(product) {
    const { cluster } = product;
    const [worker1, worker2] = cluster.nodes;
    ok(worker1 && worker2);
    const namespace = "k8slan-system";
    await cluster.apply([
      documentLan(product),
      networkObject("vlan44", { cniVersion: "0.3.1", type: "macvtap" }, {
        ...{ device: "pod2", namespace },
      }),
    ]);
    await product.untilCondition("lan-test", "Ready", "Ready", { namespace });
    await product.untilAllocatable(["pod1", "pod2"]);
    // One by the document's own definition, one by that of the controller.
    await cluster.apply([
      podObject("nginx", { namespace, node: worker1, networks: "vlan44", spokes: ["pod2"] }),
      podObject("other", { namespace, node: worker2, networks: "pod1", spokes: ["pod1"] }),
    ]);
    const stations = [["nginx", "10.9.2.1"], ["other", "10.9.2.2"]] as const;
    for (const [pod, address] of stations) {
      await product.untilRunning(pod, { namespace });
      await product.exec(pod, ["ip", "addr", "add", `${address}/24`, "dev", "net1"], namespace);
    }
    await product.exec("nginx", ["ping", "-c", "1", "-w", "10", "10.9.2.2"], namespace);
    await product.exec("other", ["ping", "-c", "1", "-w", "10", "10.9.2.1"], namespace);
  },

  async "pods of both nodes reach each other by macvtap and by veth"(product) {
    const { cluster } = product;
    const [worker1, worker2] = cluster.nodes;
    ok(worker1 && worker2);
    await cluster.apply(lanObject("lab", { vni: 77, spokes: ["a", "b", "c", "d", "e"] }));
    await product.untilCondition("lab", "Ready", "Ready");
    await product.untilAllocatable(["a", "b", "c", "d", "e"]);
    const withAddress = { ipam: { type: "static", addresses: [{ address: "10.9.0.5/24" }] } };
    await cluster.apply([
      networkObject("own-e", { cniVersion: "1.0.0", type: "k8slan", ...withAddress }, {
        device: "e",
      }),
      networkObject("own-b", { cniVersion: "0.3.1", type: "k8slan", lan: "lab", spoke: "b" }, {
        device: "b",
      }),
      podObject("plain", { node: worker1 }),
    ]);
    await product.untilRunning("plain");

    const created = performance.now();
    await cluster.apply(podObject("plain2", { node: worker1 }));
    await product.untilRunning("plain2");
    report("pod without further interfaces, created to Running", created);
    const first = performance.now();
    await cluster.apply(podObject("tap1", { node: worker1, networks: "a", spokes: ["a"] }));
    await product.untilRunning("tap1");
    report("pod with a macvtap, created to Running", first);
    await cluster.apply([
      podObject("tap2", { node: worker2, networks: "own-b", spokes: ["b"] }),
      podObject("tap5", { node: worker2, networks: "own-e", spokes: ["e"] }),
      podObject("veth3", { node: worker1, networks: "c-veth" }),
      podObject("veth4", { node: worker2, networks: [{ name: "d-veth", interface: "lan0" }] }),
    ]);
    for (const pod of ["tap2", "tap5", "veth3", "veth4"]) await product.untilRunning(pod);

    const stations = [
      { pod: "tap1", ifname: "net1", address: "10.9.0.1" },
      { pod: "tap2", ifname: "net1", address: "10.9.0.2" },
      { pod: "veth3", ifname: "net1", address: "10.9.0.3" },
      { pod: "veth4", ifname: "lan0", address: "10.9.0.4" },
    ];
    for (const { pod, ifname, address } of stations) {
      await product.exec(pod, ["ip", "addr", "add", `${address}/24`, "dev", ifname]);
    }
    const all = [...stations, { pod: "tap5", ifname: "net1", address: "10.9.0.5" }];
    for (const { pod } of all) {
      for (const { address } of all) {
        await product.exec(pod, ["ping", "-c", "1", "-w", "10", address]);
      }
    }
    const row = await product.row("lab");
    deepStrictEqual([row["ATTACHED"], row["NODES"], row["READY"]], ["5", "2", "True"]);
  },

  async "the replicas of a deployment share a LAN"(product) {
    const { cluster } = product;
    await cluster.apply(lanObject("many", { vni: 78, spokes: [] }));
    await product.untilCondition("many", "Ready", "Ready");
    await cluster.apply(deploymentObject("web", 3, { networks: "many-any", spread: true }));
    await cluster.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
    const names = (await cluster.kubectl(["get", "pods", "-l", "app=web", "-o=name"])).trim()
      .split("\n").map((name) => name.replace("pod/", ""));
    strictEqual(names.length, 3);
    for (const [at, name] of names.entries()) {
      await product.exec(name, ["ip", "addr", "add", `10.9.1.${at + 1}/24`, "dev", "net1"]);
    }
    for (const name of names) {
      for (const at of names.keys()) {
        await product.exec(name, ["ping", "-c", "1", "-w", "10", `10.9.1.${at + 1}`]);
      }
    }
    await product.untilCondition("many", "InUse", "Attached", { timeout: BUSY_TRUTH_MS });
    const row = await product.row("many");
    deepStrictEqual([row["ATTACHED"], row["NODES"], row["READY"]], ["3", "2", "True"]);
  },

  async "kubectl get lan tells the truth, and describe what happened"(product) {
    const { cluster } = product;
    const [worker1, worker2] = cluster.nodes;
    ok(worker1 && worker2);
    const times: number[] = [];
    const shows = async (...wanted: readonly string[]) => {
      const started = performance.now();
      let found: readonly unknown[] = [];
      await until(`SPOKES, ATTACHED, NODES, READY are ${wanted}`, async () => {
        const { spokes, attached, nodes, conditions = [] } = (await product.lan("told")).status ??
          {};
        const ready = conditions.find(({ type }) => type === "Ready");
        found = [spokes, attached, nodes, ready?.status];
        return found.join() === wanted.join();
      }, { timeout: 20_000, interval: 20 }).catch((cause) => {
        throw new Error(`${cause.message}; found ${found}`, { cause });
      });
      times.push(performance.now() - started);
      report(`kubectl get lan shows ${wanted}`, started);
      const row = await product.row("told");
      deepStrictEqual(
        ["SPOKES", "ATTACHED", "NODES", "READY"].map((column) => row[column]),
        wanted,
      );
    };
    await cluster.apply(lanObject("told", { vni: 79, spokes: ["a"] }));
    await shows("1", "0", "0", "True");
    await cluster.apply(lanObject("told", { vni: 79, spokes: ["a", "b"] }));
    await shows("2", "0", "0", "True");
    await cluster.apply(podObject("one", { node: worker1, networks: "told-any" }));
    await product.untilRunning("one");
    await shows("2", "1", "1", "True");
    await cluster.apply(podObject("two", { node: worker1, networks: "told-any" }));
    await product.untilRunning("two");
    await shows("2", "2", "1", "True");
    await cluster.apply(podObject("three", { node: worker2, networks: "a-veth" }));
    await product.untilRunning("three");
    await shows("2", "3", "2", "True");
    const inUse = await product.condition("told", "InUse");
    match(inUse.message, /pod "default\/three" \(spoke "a"\) on node ".*worker2"/);

    await worker2.run(["ip", "link", "set", "dev", "eth1", "down"]);
    try {
      await shows("2", "3", "2", "False");
      match((await product.condition("told", "NodesReady")).message, /worker2.*eth1/);
    } finally {
      await worker2.run(["ip", "link", "set", "dev", "eth1", "up"]);
    }
    await shows("2", "3", "2", "True");

    await cluster.kubectl(["delete", "pod", "three", "--wait"]);
    await shows("2", "2", "1", "True");
    await cluster.kubectl(["delete", "pod", "one", "two", "--wait"]);
    await shows("2", "0", "0", "True");
    ok(median(times) <= TRUTH_MS, `${times}`);
    const about = await cluster.kubectl(["describe", "lan", "told"]);
    for (const event of ["Accepted", "NetworksReady", "Degraded", "Recovered"]) {
      match(about.slice(about.indexOf("Events:")), new RegExp(event));
    }
  },

  async "a conflict names the winner, and is accepted once that is gone"(product) {
    const { cluster } = product;
    await cluster.apply(lanObject("first", { vni: 80, spokes: ["a"] }));
    await product.untilCondition("first", "Accepted", "Accepted");
    const second = lanObject("second", { vni: 80, spokes: ["b"] });
    await until(
      "the webhook refuses",
      () =>
        cluster.apply(second).then(() => cluster.kubectl(["delete", "lan", "second"])).then(
          () => false,
          (error) => /spec\.vni.*"80" belongs to LAN "default\/first"/s.test(String(error)),
        ),
      { timeout: 20_000, interval: 100 },
    );

    await withoutWebhook(product, async () => {
      // Of two LANs created in one second, the UID decides which one wins.
      const created = Date.parse((await product.lan("first")).metadata.creationTimestamp);
      await until("it is another second", () => Date.now() >= created + 1_000);
      await cluster.apply(second);
      const took = await product.untilCondition("second", "Accepted", "Conflict", {
        message: /vni "?80"?.*"default\/first"/,
        timeout: BUSY_TRUTH_MS,
      });
      report("conflict shown", performance.now(), took);
    });
    strictEqual((await product.row("second"))["READY"], "False");
    await product.untilAllocatable(["a"]);
    await until("an event names the winner", async () => {
      const events = await product.events("LAN", "second");
      return events.some((text) => /^Conflict: .*default\/first/s.test(text));
    });
    await cluster.kubectl(["delete", "lan", "first"]);
    const took = await product.untilCondition("second", "Accepted", "Accepted", {
      timeout: BUSY_TRUTH_MS,
    });
    report("winner deleted, other accepted", performance.now(), took);
    await product.untilCondition("second", "Ready", "Ready", { timeout: BUSY_TRUTH_MS });
    await product.untilAllocatable(["b"]);
  },

  async "a pod that may not attach is told why, and leaves nothing"(product) {
    const { cluster } = product;
    const [worker1, worker2] = cluster.nodes;
    ok(worker1 && worker2);
    await cluster.apply([
      namespaceObject("elsewhere"),
      lanObject("strict", { vni: 81, spokes: ["a", "b", "c"] }),
    ]);
    await product.untilCondition("strict", "Ready", "Ready");
    await product.untilAllocatable(["a", "b", "c"]);
    const plugin = { cniVersion: "1.0.0", type: "k8slan" };
    await cluster.apply([
      networkObject("theirs", { ...plugin, lan: "default/strict" }, { namespace: "elsewhere" }),
      networkObject("as-c", { ...plugin, lan: "strict", spoke: "c" }),
      networkObject("b-as-a", { ...plugin, lan: "strict", spoke: "a" }, { device: "b" }),
    ]);
    await cluster.apply([
      podObject("no-network", { spokes: ["a"], node: worker1 }),
      podObject("no-device", { networks: "c" }),
      podObject("not-offered", { namespace: "elsewhere", networks: "theirs" }),
      podObject("others-device", { networks: "as-c", spokes: ["b"] }),
    ]);
    // The container runtime's words: it finds no device, since nothing attached the pod.
    await product.podEvent("no-network", /\/dev\/tap\d+.*no such file/);
    await product.podEvent(
      "no-network",
      /^NetworkMissing: .*device of spoke "a" of LAN "default\/strict" but is not attached/,
    );
    await product.podEvent(
      "no-device",
      /does not hold the device of spoke "c".*add "macvtap\.k8slan\.io\/c: 1"/,
    );
    await product.podEvent(
      "not-offered",
      /"default\/strict" is not offered in namespace "elsewhere"/,
      "elsewhere",
    );
    await product.podEvent(
      "others-device",
      /does not hold the device of spoke "c" of LAN "default\/strict", but "macvtap\.k8slan\.io\/b"/,
    );
    await cluster.kubectl(["delete", "pod", "others-device", "--wait"]);
    await cluster.apply(podObject("swapped", { networks: "b-as-a", spokes: ["b"] }));
    await product.podEvent("swapped", /deviceID.*"?b"?.*spoke/);
    const told = await product.events("Pod", "no-network");
    deepStrictEqual(told.filter((text) => text.startsWith("NetworkMissing")).length, 1);
    const left = (await product.leftovers()).filter((what) => !isOffer(what));
    deepStrictEqual(left, []);
    strictEqual((await product.row("strict"))["ATTACHED"], "0");
  },

  async "a spoke is held once in the cluster, and free again when its pod goes"(product) {
    const { cluster } = product;
    const [worker1, worker2] = cluster.nodes;
    ok(worker1 && worker2);
    const [here, there] = product.nodes;
    ok(here && there);
    await cluster.apply(lanObject("single", { vni: 82, spokes: ["a", "b"] }));
    await product.untilAllocatable(["a", "b"]);
    await product.untilCondition("single", "Ready", "Ready");
    await cluster.apply(podObject("holder", { node: worker1, networks: "a", spokes: ["a"] }));
    await product.untilRunning("holder");
    const withdrawn = await product.untilAllocatable(["b"], { nodes: [there] });
    report("spoke held, unhealthy on the other node", performance.now(), withdrawn);
    deepStrictEqual(await here.allocatable(), ["a", "b"]);

    await cluster.apply([
      podObject("second", { node: worker2, networks: "a", spokes: ["a"] }),
      podObject("third", { node: worker1, networks: "a", spokes: ["a"] }),
      podObject("by-veth", { node: worker2, networks: "a-veth" }),
      podObject("by-veth-here", { node: worker1, networks: "a-veth" }),
    ]);
    const insufficient = new RegExp(`FailedScheduling:.*Insufficient ${RESOURCE_PREFIX}/a`);
    await product.podEvent("second", insufficient);
    await product.podEvent("third", insufficient);
    await product.podEvent(
      "by-veth",
      /Spoke "a" of LAN "default\/single" is attached to pod "default\/holder" on node ".*worker1"/,
    );
    await product.podEvent(
      "by-veth-here",
      /Spoke "a" of LAN "default\/single" is attached to pod "default\/holder" on this node/,
    );
    await cluster.kubectl(["delete", "pod", "third", "by-veth", "by-veth-here", "--wait"]);

    const started = performance.now();
    await cluster.kubectl(["delete", "pod", "holder", "--wait"]);
    report("pod deleted", started);
    await product.untilRunning("second", { timeout: 15_000 });
    report("pod deleted, its successor on the other node runs", started);
    await product.untilAllocatable(["b"], { nodes: [here] });
    await cluster.kubectl(["delete", "pod", "second", "--wait"]);
    report(
      "spoke free on both nodes",
      performance.now(),
      await product.untilAllocatable(["a", "b"], { timeout: 4_000 }),
    );
  },

  async "a network that is written wrongly is explained in the pod's events"(product) {
    const { cluster } = product;
    await cluster.apply(lanObject("right", { vni: 83, spokes: ["a"] }));
    await product.untilCondition("right", "Ready", "Ready");
    await product.untilAllocatable(["a"]);
    const plugin = { cniVersion: "1.0.0", type: "k8slan" };
    for (const [at, { config, device, message }] of BROKEN_NETWORKS.entries()) {
      const text = typeof config === "string" ? config : JSON.stringify({ ...plugin, ...config });
      const name = `broken-${at}`;
      await create(product, networkObject(name, text, device ? { device: "a" } : {}));
      await create(product, podObject(name, { networks: name, spokes: device ? ["a"] : [] }));
      await product.podEvent(name, message);
      if (device) await cluster.kubectl(["delete", "pod", name, "--wait"]);
    }
    await cluster.apply([
      podObject("garbled", { networks: "[{" }),
      podObject("absent", { networks: "no-such-network" }),
    ]);
    await product.podEvent("garbled", /FailedCreatePodSandBox.*JSON/);
    await product.podEvent("absent", /no-such-network.*not found|not found.*no-such-network/);
    // Annotations of 256 KiB are the most that the API server takes.
    const padded = { name: "right-any", "cni-args": { pad: "x".repeat(240_000) } };
    await create(product, podObject("padded", { networks: [padded] }));
    await product.untilRunning("padded");
    await cluster.kubectl(["delete", "pod", "padded", "--wait"]);
    const left = (await product.leftovers()).filter((what) => !isOffer(what));
    deepStrictEqual(left, []);
    // And nothing of it has hurt: a right one attaches.
    await cluster.apply(podObject("fine", { networks: "a", spokes: ["a"] }));
    await product.untilRunning("fine");
  },

  async "the API server refuses a LAN that no node could make"(product) {
    const refused = async (spec: Readonly<Record<string, unknown>>, message: RegExp) => {
      const lan = lanObject("hostile", { vni: 84, spokes: ["a"], ...spec });
      await rejects(product.cluster.apply(lan), message);
    };
    await refused({ vni: 0 }, /spec\.vni/);
    await refused({ vni: 1 << 24 }, /spec\.vni/);
    await refused({ ns: "../../etc" }, /spec\.ns/);
    await refused({ bridge: "a b; reboot" }, /spec\.bridge/);
    await refused({ vxlan: "br0" }, /must differ from bridge/);
    await refused({ spokes: ["a", "a"] }, /spec\.spokes.*Duplicate/);
    await refused({ spokes: ["x".repeat(14)] }, /spec\.spokes/);
    await refused({ spokes: ["a-veth"] }, /must not end in "-veth"/);
    await refused({ spokes: Array.from({ length: 4_096 }, (_, at) => `s${at}`) }, /Too many/);
    await refused({ vxlanGrp: "ff00::1\n" }, /spec\.vxlanGrp/);
    await refused({ vxlanGrp: "10.0.0.1" }, /spec\.vxlanGrp/);
    await refused({ mtu: 68 }, /spec\.mtu/);
    await refused({ defaultVxlanDev: "eth0/../x" }, /spec\.defaultVxlanDev/);
    await product.cluster.apply(lanObject("kept", { vni: 84, spokes: ["a"] }));
    const moved = lanObject("kept", { vni: 85, spokes: ["a"] });
    await rejects(product.cluster.apply(moved), /is immutable/);
  },

  ...PROBE_STEPS,
  ...POD_STEPS,
  ...LIVE_STEPS,
  ...MIGRATION_STEPS,
  ...UNICAST_STEPS,
  ...VM_STEPS,
};

/** The LAN of the document; nodes have other names here, and no VLAN device. */
function documentLan({ cluster }: Product) {
  const vxlanDevMap = Object.fromEntries(cluster.nodes.map(({ name }) => [name, "eth1"]));
  const lan = lanObject("lan-test", {}, "k8slan-system");
  return {
    ...lan,
    spec: {
      ...{ ns: "knlvrf", bridge: "br2", vxlan: "vx2", vni: 222, defaultVxlanDev: "eth0.10" },
      ...{ vxlanDevMap, spokes: ["pod1", "pod2"] },
    },
  };
}

/** Configurations that can't work, and what a pod's events have to say about them. */
const BROKEN_NETWORKS: readonly {
  readonly config: string | object;
  /** Whether the pod holds the device of spoke "a", and the network is bound to it. */
  readonly device?: boolean;
  readonly message: RegExp;
}[] = [
  { config: "{", message: /FailedCreatePodSandBox.*JSON/ },
  { config: {}, message: /lan.*spoke|deviceID/ },
  { config: { lan: "nowhere" }, message: /There is no LAN "nowhere"/ },
  { config: { lan: "right", spoke: "z" }, message: /has no spoke "z".*name one of "a"/ },
  { config: { spoke: "../../etc" }, message: /"spoke"|spoke .*must/ },
  { config: { lan: "right", master: "eth0" }, message: /no interface or socket of the host/ },
  { config: { type: "macvtap", cniVersion: "0.3.1" }, message: /deviceID|macvtap\.k8slan\.io/ },
  { config: { cniVersion: "9.9.9", lan: "right" }, message: /9\.9\.9/ },
  { config: { lan: "right", mtu: 9_000 }, message: /MTU 9000.*carries 1426/ },
  { config: { mtu: 1_500 }, device: true, message: /MTU 1500.*carries 1426/ },
  { config: { attach: "bridge", lan: "right" }, message: /attach must be "macvtap" or "veth"/ },
  {
    config: { lan: "right", ipam: { type: "nosuchipam" } },
    message: /nosuchipam/,
  },
  {
    config: { lan: "right", note: "x".repeat(1_100_000) },
    message: /larger than 1048576 bytes/,
  },
];

/** What a LAN that exists has on nodes and in namespaces, though nothing is attached. */
function isOffer(what: string): boolean {
  return /: device of |device-plugins\/k8slan-|^network |^LAN /.test(what);
}

/** Runs `task` while LANs are written unseen by the webhook, as when no controller is there to ask. */
async function withoutWebhook({ cluster }: Product, task: () => Promise<void>): Promise<void> {
  const patch = async (value: object) => {
    const step = [{ op: "add", path: "/webhooks/0/objectSelector", value }];
    const name = ["validatingwebhookconfiguration", "k8slan-webhook"];
    await cluster.kubectl(["patch", ...name, "--type=json", `--patch=${JSON.stringify(step)}`]);
  };
  const clash = lanObject("probe", { vni: 80, spokes: ["probe"] });
  const isAsked = () =>
    cluster.kubectl(["create", "--dry-run=server", "-f", "-"], JSON.stringify(clash))
      .then(() => false, () => true);
  await patch({ matchLabels: { "k8slan-test": "no" } });
  try {
    await until("the webhook is asked no more", async () => !await isAsked());
    await task();
  } finally {
    await patch({});
    await until("the webhook is asked again", isAsked);
  }
}

/** Unlike `apply` it doesn't keep a copy in an annotation, for which some objects are too large. */
async function create({ cluster }: Product, object: object): Promise<void> {
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify(object));
}
