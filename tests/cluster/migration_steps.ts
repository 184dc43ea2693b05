/** A VM's move from node to node, with pods in the parts of those that KubeVirt makes for it. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { MovingVm } from "../support/moving_vm.ts";
import type { Product } from "../support/product.ts";
import type { ProductNode } from "../support/product_node.ts";
import { podObject } from "../support/product_objects.ts";
import { say } from "../support/say.ts";
import { until } from "../support/until.ts";

const { LAN, SPOKE } = MovingVm;
/** Within so much frames follow a VM, whether it says anything or not. Milliseconds. */
const FOLLOWED_MS = 1_000;

export const MIGRATION_STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "a VM takes its spoke to another node and back, and nobody else gets it meanwhile"(
    product,
  ) {
    const [one, two] = product.nodes;
    await using vm = await MovingVm.start(product);
    for (const [how, node] of [["announced", two], ["silent", one]] as const) {
      strictEqual((await vm.next()).name, node?.name);
      await bothHold(product, vm);
      if (how === "announced" && node !== undefined) {
        await othersAreRefused(product, vm, node);
        await kubeletsRestart(product, vm);
        await bothHold(product, vm);
      }
      const { gapMs, lost, early } = await vm.handOver(how);
      say(`hand-over, ${how}: ${gapMs.toFixed(2)} ms without a frame, ${lost} lost`);
      strictEqual(early, 0);
      ok(gapMs < FOLLOWED_MS, `${gapMs} ms without a frame`);
    }
  },
};

/** Kubelets that start look at all pods anew, and reject those whose device is not healthy. */
async function kubeletsRestart(product: Product, { launchers }: MovingVm): Promise<void> {
  for (const { node } of product.nodes) await node.kubelet.restart();
  for (const name of launchers) {
    await until(`kubelet has taken in pod "${name}"`, async () => {
      await product.exec(name, ["true"]);
      return true;
    }, { timeout: 60_000, interval: 200 });
  }
}

/** Both pods run undisturbed, and the LAN says so. */
async function bothHold(product: Product, { launchers }: MovingVm): Promise<void> {
  await until("the LAN tells of both", async () => {
    const { status } = await product.lan(LAN);
    const told = status?.migrations?.map(({ spoke, from, to }) => [spoke, from.name, to.name]);
    return status?.attached === 4 && `${told}` === `${SPOKE},${launchers}`;
  });
  strictEqual((await product.condition(LAN, "Ready")).reason, "Ready");
  const text = await product.cluster.kubectl(["get", "pods", ...launchers, "-o=json"]);
  const pods: readonly RunningPod[] = JSON.parse(text).items;
  deepStrictEqual(
    pods.map(({ status }) => [status.phase, status.containerStatuses[0]?.restartCount]),
    [["Running", 0], ["Running", 0]],
  );
}

interface RunningPod {
  readonly status: {
    readonly phase: string;
    readonly containerStatuses: readonly { readonly restartCount: number }[];
  };
}

async function othersAreRefused(
  product: Product,
  { launchers: [from, to] }: MovingVm,
  { node }: ProductNode,
): Promise<void> {
  const { cluster } = product;
  await cluster.apply([
    podObject("intruder", { node, networks: `${SPOKE}-veth` }),
    podObject("waiting", { node, networks: SPOKE, spokes: [SPOKE] }),
  ]);
  await product.podEvent(
    "intruder",
    new RegExp(`attached to pod "default/${from}".*whose VM moves to pod "default/${to}"`),
  );
  await product.podEvent("waiting", new RegExp(`Insufficient macvtap.k8slan.io/${SPOKE}`));
  await cluster.kubectl(["delete", "pod", "intruder", "waiting", "--wait"]);
}
