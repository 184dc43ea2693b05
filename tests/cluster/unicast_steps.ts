/** A LAN whose nodes send to each other one by one: who is a peer follows from what is attached where. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { LAN_NODES } from "../../src/kube/resources.ts";
import type { Product } from "../support/product.ts";
import type { ProductNode } from "../support/product_node.ts";
import { lanObject, podObject } from "../support/product_objects.ts";
import { say } from "../support/say.ts";
import { until } from "../support/until.ts";

const LAN = "peers";

export const UNICAST_STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "a LAN with a unicast underlay joins pods of both nodes, and peers follow them"(product) {
    const { cluster, nodes: [one, two] } = product;
    if (one === undefined || two === undefined) throw new Error("It takes two nodes");
    await cluster.apply(
      lanObject(LAN, { vni: 88, underlay: "unicast", spokes: ["peer-a", "peer-b"] }),
    );
    await product.untilAllocatable(["peer-a", "peer-b"]);
    await cluster.apply(
      podObject("alone", { node: one.node, networks: "peer-a", spokes: ["peer-a"] }),
    );
    await product.untilRunning("alone");
    await until("the first node has no peer", async () => (await floods(one)).length === 0);
    await cluster.apply(podObject("other", { node: two.node, networks: `${LAN}-any` }));
    await product.untilRunning("other");
    const started = performance.now();
    await sendsTo(product, one, two);
    await sendsTo(product, two, one);
    say(`second pod running to both nodes sending: ${(performance.now() - started).toFixed(0)} ms`);
    for (const [pod, number] of [["alone", 1], ["other", 2]] as const) {
      await product.exec(pod, ["ip", "addr", "add", `10.8.0.${number}/24`, "dev", "net1"]);
    }
    await product.exec("alone", ["ping", "-c", "1", "-w", "10", "10.8.0.2"]);
    strictEqual((await product.condition(LAN, "NodesReady")).reason, "Ready");

    const before = await one.agentPid();
    await one.killAgent();
    deepStrictEqual(await floods(one), [await vtepOf(product, two)]);
    await one.agentReady({ before });
    await sendsTo(product, one, two);

    await cluster.kubectl(["delete", "pod", "other", "--wait"]);
    await until("the second node is no peer any more", async () => {
      return (await floods(one)).length === 0 && await vtepOf(product, two) === undefined;
    }, { timeout: 20_000 });
    await cluster.apply(podObject("again", { node: two.node, networks: `${LAN}-any` }));
    await product.untilRunning("again");
    await sendsTo(product, one, two);
    await product.exec("again", ["ip", "addr", "add", "10.8.0.3/24", "dev", "net1"]);
    await product.exec("alone", ["ping", "-c", "1", "-w", "10", "10.8.0.3"]);
  },
};

/** Where the node sends what is for all. */
async function floods({ node }: ProductNode): Promise<readonly string[]> {
  const text = await node.run([
    ...["nsenter", `--net=/run/k8slan/netns/${LAN}`],
    ...["bridge", "-j", "fdb", "show", "dev", "vx0"],
  ]);
  const entries: readonly { readonly mac: string; readonly dst?: string }[] = JSON.parse(text);
  return entries.flatMap(({ mac, dst }) =>
    mac === "00:00:00:00:00:00" && dst !== undefined ? dst : []
  );
}

async function vtepOf({ api }: Product, { name }: ProductNode): Promise<string | undefined> {
  const { status } = await api.get(LAN_NODES, { name }) ?? {};
  return status?.lans?.find((lan) => lan.name === LAN)?.vtep;
}

async function sendsTo(product: Product, from: ProductNode, to: ProductNode): Promise<void> {
  await until(`"${from.name}" sends to "${to.name}"`, async () => {
    const vtep = await vtepOf(product, to);
    return vtep !== undefined && (await floods(from)).join() === vtep;
  }, { timeout: 20_000 });
}
