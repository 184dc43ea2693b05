import assert from "node:assert/strict";
import { fastest } from "../../tests/support/fastest.ts";
import { attachmentOnNode, lanNodeObject } from "../../tests/support/lan_node_objects.ts";
import { markId } from "../plan/mark.ts";
import { heldElsewhere, heldSpokeSchema, Holders } from "./holders.ts";

const LAN = "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";
const OTHER_LAN = "1d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b91";
const POD = { namespace: "lab", name: "vm", uid: "uid-of-vm" };

Deno.test("heldElsewhere() tells which spokes other nodes hold, and who there", () => {
  const nodes = [
    lanNodeObject("worker1", [attachmentOnNode(LAN, "own", "mine")]),
    lanNodeObject("worker2", [
      attachmentOnNode(LAN, "pod1", "vm"),
      attachmentOnNode(LAN, undefined, "any"),
      attachmentOnNode(OTHER_LAN, "pod1"),
    ]),
    lanNodeObject("worker3"),
  ];
  assert.deepEqual(heldElsewhere(nodes, "worker1"), [
    { lanUid: LAN, spoke: "pod1", node: "worker2", pod: POD },
    { lanUid: OTHER_LAN, spoke: "pod1", node: "worker2" },
  ]);
});

Deno.test("heldElsewhere() gives everybody the same one of several holders", () => {
  const nodes = [
    lanNodeObject("worker3", [attachmentOnNode(LAN, "pod1", "a")]),
    lanNodeObject("worker2", [
      attachmentOnNode(LAN, "pod1", "vm"),
      attachmentOnNode(LAN, "pod1", "zz"),
      attachmentOnNode(LAN, "pod2", "vm"),
    ]),
    lanNodeObject("worker4", [attachmentOnNode(LAN, "pod1")]),
  ];
  const expected = [
    { lanUid: LAN, spoke: "pod1", node: "worker2", pod: POD },
    { lanUid: LAN, spoke: "pod2", node: "worker2", pod: POD },
  ];
  for (const order of [nodes, nodes.toReversed(), [nodes[1]!, nodes[0]!, nodes[2]!]]) {
    assert.deepEqual(heldElsewhere(order, "worker1"), expected);
  }
});

Deno.test("Holders.update() says whether anything is held differently", () => {
  const holders = new Holders("worker1");
  const held = [lanNodeObject("worker2", [attachmentOnNode(LAN, "pod1", "vm")])];
  const heldByHand = [lanNodeObject("worker2", [attachmentOnNode(LAN, "pod1")])];
  const elsewhere = [lanNodeObject("worker3", [attachmentOnNode(LAN, "pod1", "vm")])];
  const here = [lanNodeObject("worker1", [attachmentOnNode(LAN, "pod1", "vm")])];
  const steps = [
    [[], false],
    [here, false],
    [held, true],
    [held, false],
    [[...here, ...held, lanNodeObject("worker9")], false],
    [heldByHand, true],
    [elsewhere, true],
    [here, true],
    [[], false],
  ] as const;
  steps.forEach(([nodes, changed], i) => assert.equal(holders.update(nodes), changed, `step ${i}`));
});

Deno.test("Holders.elsewhere() names node and pod, and nobody of this node", () => {
  const holders = new Holders("worker1");
  holders.update([
    lanNodeObject("worker1", [attachmentOnNode(LAN, "pod2", "vm")]),
    lanNodeObject("worker2", [
      attachmentOnNode(LAN, "pod1", "vm"),
      attachmentOnNode(LAN, "pod3"),
    ]),
  ]);
  assert.deepEqual(holders.elsewhere(LAN, "pod1"), { node: "worker2", pod: POD });
  assert.deepEqual(holders.elsewhere(LAN, "pod3"), { node: "worker2" });
  for (const [lan, spoke] of [[LAN, "pod2"], [LAN, "pod9"], [OTHER_LAN, "pod1"]] as const) {
    assert.equal(holders.elsewhere(lan, spoke), undefined);
  }
});

Deno.test("Holders.elsewhere() finds a LAN by a long UID and by how that stands in marks", () => {
  const long = "l".repeat(100);
  for (const [told, asked] of [[long, markId(long)], [markId(long), long]] as const) {
    const holders = new Holders("worker1");
    holders.update([lanNodeObject("worker2", [attachmentOnNode(told, "pod1")])]);
    assert.deepEqual(holders.elsewhere(asked, "pod1"), { node: "worker2" });
  }
});

Deno.test("Holders.restore() takes what was remembered, which is no news when it is told again", () => {
  const nodes = [lanNodeObject("worker2", [attachmentOnNode(LAN, "pod1", "vm")])];
  const before = new Holders("worker1");
  before.update(nodes);
  const remembered = heldSpokeSchema.array().parse(JSON.parse(JSON.stringify(before.held)));
  const holders = new Holders("worker1");
  assert.equal(holders.restore(remembered), true);
  assert.equal(holders.elsewhere(LAN, "pod1")?.node, "worker2");
  assert.equal(holders.update(nodes), false);
  assert.equal(holders.update([]), true);
  assert.equal(holders.elsewhere(LAN, "pod1"), undefined);
});

Deno.test("Holders.update() is quick with 500 nodes", () => {
  const nodes = Array.from({ length: 500 }, (_, node) =>
    lanNodeObject(
      `worker${node}`,
      Array.from({ length: 8 }, (_, i) => attachmentOnNode(LAN, `p${node}-${i}`, `pod${i}`)),
    ));
  const holders = new Holders("worker1");
  const best = fastest(() => holders.update(nodes), 20);
  assert.equal(holders.held.length, 499 * 8);
  assert.ok(best < 20, `took ${best} ms`);
});
