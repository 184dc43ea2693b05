/** A LAN that changes while pods use it: those that nothing changes for do not notice. */

import { deepStrictEqual, match, ok, rejects } from "node:assert/strict";
import { WEBHOOK_NAME } from "../../src/api/names.ts";
import { NumberedStream } from "../support/numbered_stream.ts";
import type { Product } from "../support/product.ts";
import {
  lanObject,
  namespaceObject,
  networkObject,
  podObject,
} from "../support/product_objects.ts";
import { report, say } from "../support/say.ts";
import { until } from "../support/until.ts";

const LAN = "live";
const OTHERS = "live-others";
/**
 * Frames to another node that a move of both nodes may cost, at five hundred a second: the nodes need not
 * move at once. Of a single move a busy machine may take three times as much.
 */
const GAP_MAX = 1_000;
const BUSY_GAP_MAX = 3 * GAP_MAX;
/** From the change of a LAN until kubelet has told the scheduler; 3 s if the machine is not busy. Milliseconds. */
const WITHDRAWN_MS = 9_000;

export const LIVE_STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "a LAN changes while pods use it, and those it changes nothing for do not notice"(product) {
    const { cluster } = product;
    const [one, two] = product.nodes;
    ok(one && two);
    await cluster.apply(lanObject(LAN, { vni: 93, spokes: ["a", "b", "c"] }));
    await product.untilCondition(LAN, "Ready", "Ready");
    await product.untilAllocatable(["a", "b", "c"]);
    await cluster.apply([
      podObject("near", { node: one.node, networks: "a", spokes: ["a"] }),
      podObject("beside", { node: one.node, networks: "b-veth" }),
      podObject("far", { node: two.node, networks: "c", spokes: ["c"] }),
    ]);
    for (const pod of ["near", "beside", "far"]) await product.untilRunning(pod);
    await product.untilCondition(LAN, "InUse", "Attached", { message: /"default\/far"/ });
    using within = new NumberedStream(await one.end("near"), await one.end("beside"), 500);

    await spokesChange(product);
    await namespacesChange(product);
    const lost = await devicesChange(product);

    const kept = await within.stop();
    deepStrictEqual({ lost: kept.lost, outOfPlace: kept.outOfPlace }, { lost: [], outOfPlace: 0 });
    say(`frames lost to another node by each move of all nodes to another underlay: ${lost}`);
    ok(
      Math.min(...lost) <= GAP_MAX && Math.max(...lost) <= BUSY_GAP_MAX,
      `${lost} frames are lost`,
    );
  },
};

function patch({ cluster }: Product, spec: Readonly<Record<string, unknown>>): Promise<string> {
  return cluster.kubectl(["patch", "lan", LAN, "--type=merge", "-p", JSON.stringify({ spec })]);
}

async function untilNetworks(product: Product, namespace: string, expected: string) {
  await until(`networks of "${namespace}" are ${expected || "none"}`, async () => {
    return (await product.networks(namespace)).join() === expected;
  }, { timeout: 10_000, interval: 100 });
}

async function spokesChange(product: Product): Promise<void> {
  const [one, two] = product.nodes;
  ok(one && two);
  await patch(product, { spokes: ["a", "b", "c", "d"] });
  await untilNetworks(product, "default", "a,a-veth,b,b-veth,c,c-veth,d,d-veth,live-any");
  const isOffered = async (spoke: string) => {
    const lists = await Promise.all(product.nodes.map((node) => node.allocatable()));
    return lists.map((list) => list.includes(spoke));
  };
  await until("the new spoke can be had on both nodes", async () => {
    return (await isOffered("d")).every((is) => is);
  });
  await patch(product, { spokes: ["a", "b", "c"] });
  const removed = performance.now();
  await until("the spoke can be had on no node any more", async () => {
    return !(await isOffered("d")).some((is) => is);
  }, { timeout: WITHDRAWN_MS, interval: 50 });
  report("spoke removed, withdrawn on both nodes", removed);
  await untilNetworks(product, "default", "a,a-veth,b,b-veth,c,c-veth,live-any");

  await rejects(
    patch(product, { spokes: ["a", "b"] }),
    /spec\.spokes.*must keep "c", which pod "default\/far" on node "\S+" is attached to/s,
  );
  await withoutWebhook(product, async () => {
    await until("the spoke goes when nobody objects", async () => {
      await patch(product, { spokes: ["a", "b"] });
      return true;
    });
  });
  await product.untilCondition(LAN, "NodesReady", "Degraded", {
    message: /SpokeRemoved: LAN "default\/live" has no "c" in spec\.spokes any more/,
  });
  await untilNetworks(product, "default", "a,a-veth,b,b-veth,live-any");
  await patch(product, { spokes: ["a", "b", "c"] });
  await product.untilCondition(LAN, "Ready", "Ready");
}

async function namespacesChange(product: Product): Promise<void> {
  await product.cluster.apply(namespaceObject(OTHERS));
  await patch(product, { namespaces: [OTHERS] });
  const all = "a,a-veth,b,b-veth,c,c-veth,live-any";
  await untilNetworks(product, OTHERS, all);
  await untilNetworks(product, "default", "");
  match((await product.condition(LAN, "InUse")).message, /"default\/near"/);
  const config = { cniVersion: "1.0.0", type: "k8slan", lan: `default/${LAN}` };
  await product.cluster.apply([
    podObject("guest", { namespace: OTHERS, networks: `${LAN}-any` }),
    networkObject("formerly", config),
    podObject("formerly", { networks: "formerly" }),
  ]);
  await product.untilRunning("guest", { namespace: OTHERS });
  await product.podEvent("formerly", /is not offered in namespace "default"/);
  await product.cluster.kubectl(["delete", "pod", "guest", "--wait", "-n", OTHERS]);
  await product.cluster.kubectl(["delete", "pod,net-attach-def", "formerly", "--wait"]);
  await patch(product, { namespaces: null });
  await untilNetworks(product, "default", all);
  await untilNetworks(product, OTHERS, "");
}

/**
 * Of all nodes by the default, then of one by the map, which is where it was. Returns the number of
 * frames to another node that each of the moves cost.
 */
async function devicesChange(product: Product): Promise<readonly number[]> {
  const [one] = product.nodes;
  ok(one);
  const there = await lostBy(product, { defaultVxlanDev: "eth0" }, "eth0");
  await product.untilCondition(LAN, "Ready", "Ready");
  const map = { [one.name]: "eth1" };
  const back = await lostBy(product, { defaultVxlanDev: "eth1", vxlanDevMap: map }, "eth1");
  await patch(product, { vxlanDevMap: null });
  await product.untilCondition(LAN, "Ready", "Ready");
  return [there, back];
}

/** How many frames to another node are lost while all nodes move to `device` by this change. */
async function lostBy(
  product: Product,
  spec: Readonly<Record<string, unknown>>,
  device: string,
): Promise<number> {
  const [one, two] = product.nodes;
  ok(one && two);
  using stream = new NumberedStream(await one.end("near"), await two.end("far"), 500);
  await patch(product, spec);
  await untilOn(product, device);
  return (await stream.stop()).lost.length;
}

/** Every node has the LAN on that device, and frames get from one to the other. */
async function untilOn(product: Product, device: string): Promise<void> {
  const [one, two] = product.nodes;
  ok(one && two);
  await until(`the LAN is on ${device}`, async () => {
    const groups = await Promise.all(
      product.nodes.map(({ node }) => node.run(["ip", "-6", "maddr", "show", "dev", device])),
    );
    return groups.every((joined) => /\bff02::14\b/.test(joined));
  }, { timeout: 30_000 });
  const [near, far] = [await one.end("near"), await two.end("far")];
  await until("frames get to the other node", async () => {
    using stream = new NumberedStream(near, far, 500);
    await until("some are sent", () => stream.sent >= 20);
    return (await stream.stop()).lost.length === 0;
  }, { timeout: 30_000 });
}

/** Runs `task` while no LAN is shown to the webhook; that may take the API server a moment to learn. */
async function withoutWebhook({ cluster }: Product, task: () => Promise<void>): Promise<void> {
  const select = async (value: object) => {
    const step = [{ op: "add", path: "/webhooks/0/objectSelector", value }];
    const name = ["validatingwebhookconfiguration", WEBHOOK_NAME];
    await cluster.kubectl(["patch", ...name, "--type=json", `--patch=${JSON.stringify(step)}`]);
  };
  await select({ matchLabels: { "k8slan-test": "no" } });
  try {
    await task();
  } finally {
    await select({});
  }
}
