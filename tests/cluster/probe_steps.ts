/** Condition `Connected`: earned by frames that arrive, and lost with them. */

import { match, ok, strictEqual } from "node:assert/strict";
import type { Product } from "../support/product.ts";
import { lanObject, podObject } from "../support/product_objects.ts";
import { say } from "../support/say.ts";
import { until } from "../support/until.ts";

const LAN = "probed";
const RULES = "k8slan-test";
/** Three intervals and some, and the time that it takes to tell. Milliseconds. */
const LOST = { timeout: 90_000 };
const FOUND = { timeout: 60_000 };

export const PROBE_STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "a LAN is connected once its nodes reach each other, and as long as they do"(product) {
    const { cluster, nodes: [one, two] } = product;
    ok(one && two);
    await cluster.apply(lanObject(LAN, { vni: 91, spokes: ["near"] }));
    await product.untilCondition(LAN, "Connected", "NothingAttached");
    await product.untilAllocatable(["near"]);
    await cluster.apply(podObject("near", { node: one.node, networks: "near", spokes: ["near"] }));
    await product.untilRunning("near");
    await product.untilCondition(LAN, "Connected", "NothingToReach");
    await cluster.apply(podObject("far", { node: two.node, networks: `${LAN}-any` }));
    await product.untilRunning("far");
    const first = await product.untilCondition(LAN, "Connected", "Verified", FOUND);
    say(`second pod running to Connected=True: ${first.toFixed(0)} ms`);
    strictEqual((await product.row(LAN))["CONNECTED"], "True");
    match((await product.condition(LAN, "Connected")).message, /^2 nodes reach each other, with/);

    // What reaches the second node is dropped; what it sends is not.
    await two.node.run([
      "nft",
      `table ip6 ${RULES} {
        chain input {
          type filter hook input priority 0
          udp dport 4789 drop
        }
      }`,
    ]);
    try {
      const lost = await product.untilCondition(LAN, "Connected", "OneWay", LOST);
      say(`one direction cut to Connected=False: ${lost.toFixed(0)} ms`);
      const { status, message } = await product.condition(LAN, "Connected");
      strictEqual(status, "False");
      match(
        message,
        new RegExp(`rames of node "${one.name}" do not reach node "${two.name}": look`),
      );
      strictEqual((await product.condition(LAN, "Ready")).status, "True");
    } finally {
      await two.node.run(["nft", "delete", "table", "ip6", RULES]);
    }
    const again = await product.untilCondition(LAN, "Connected", "Verified", FOUND);
    say(`direction back to Connected=True: ${again.toFixed(0)} ms`);
    await until("events tell of both", async () => {
      const events = (await product.events("LAN", LAN)).join("\n");
      return /OneWay/.test(events) && /Connected/.test(events);
    });
  },
};
