/** Nothing may pile up: an open descriptor keeps a whole namespace alive. */

import assert from "node:assert/strict";
import { createLab, rootTest } from "../support/netns_lab.ts";

const PROGRAM = new URL("../support/churn_run.ts", import.meta.url).pathname;

rootTest("LinuxKernel: keeps nothing open over many LANs, failed ones included", async () => {
  await using lab = await createLab({ nodes: 1 });
  const node = lab.node("worker1");
  const program = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM];
  const { before, after, ...rest } = JSON.parse(
    await node.run([...program, node.uniqueName, node.dir, "25"]),
  );
  // The runtime opens a few of its own when it likes; one for each round would be 22.
  assert.ok(after < before + 10, `${before} descriptors became ${after}`);
  assert.deepEqual(rest, { isHome: true, netnses: [], marked: [] });
  assert.deepEqual((await node.links()).map(({ ifname }) => ifname), ["lo", "eth1"]);
});
