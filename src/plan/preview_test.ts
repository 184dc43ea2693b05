import assert from "node:assert/strict";
import { builtLan, MACVTAP, NOTHING, POD1 } from "../../tests/support/built_lan.ts";
import { macvtapOn, scopeOf, seedLan } from "../../tests/support/lan_fixture.ts";
import { diff } from "./diff.ts";
import { lanOps, spokeOps, spokePlan } from "./preview.ts";

Deno.test("lanOps() is the difference to nothing", async () => {
  const { wanted } = await builtLan();
  assert.deepEqual(lanOps(wanted), diff(wanted, NOTHING));
});

Deno.test("spokePlan() gives a spoke the names, index and addresses that it gets when attached", () => {
  const spoke = spokePlan(seedLan(), "worker1", "pod1", 1426);
  const attached = macvtapOn("pod1", { node: "worker1" });
  assert.deepEqual({ ...attached, ...spoke }, attached);
});

Deno.test("spokeOps() makes a pair on which attaching then builds", async () => {
  const { kernel, wanted } = await builtLan([]);
  const spoke = spokePlan(seedLan(), "worker1", "pod1", 1426);
  await kernel.apply(spokeOps(wanted, spoke));
  const port = kernel.link(wanted.netns.path, "pod1.b");
  assert.deepEqual([port.up, port.bridge?.name, port.alias], [true, "br2", undefined]);
  assert.deepEqual([kernel.link("host", "pod1").up, kernel.link("host", "pod1").ipv6], [
    true,
    false,
  ]);

  const attached = { ...wanted, attachments: [MACVTAP] };
  const ops = diff(attached, kernel.observe(scopeOf(attached)));
  assert.equal(ops.some(({ op }) => op === "create-veth" || op === "delete-link"), false);
  await kernel.apply(ops);
  assert.deepEqual(diff(attached, kernel.observe(scopeOf(attached))), []);
  assert.equal(kernel.link(POD1, "net1").up, true);
});
