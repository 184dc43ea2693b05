/** What a crash or a failure left of an attachment must neither be taken for whole nor be in the way. */

import assert from "node:assert/strict";
import { builtLan, MACVTAP, NOTHING, POD1, POD2, withLink } from "../../tests/support/built_lan.ts";
import { FakeKernel } from "../../tests/support/fake_kernel.ts";
import { scopeOf } from "../../tests/support/lan_fixture.ts";
import { diff } from "./diff.ts";
import type { ObservedLan } from "./observed.ts";
import { HOST, type NetOp } from "./ops.ts";

const { wanted, observed } = await builtLan();
const AT = wanted.netns.path;
const { index, owner } = MACVTAP;
const MARK = "k8slan lan=0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";

/** As it is before the last step. */
function unfinished(port: string): ObservedLan {
  const { alias: _, ...link } = observed.links.get(port)!;
  return { ...observed, links: new Map([...observed.links, [port, link]]) };
}

function names(ops: readonly NetOp[]): string[] {
  return ops.map((op) => `${op.op} ${"name" in op ? op.name : op.path}`);
}

Deno.test("diff() does every step again of a macvtap that was never completed", () => {
  const expected: NetOp[] = [
    { op: "isolate-host-end", name: "pod1" },
    { op: "disable-ipv6", at: POD1, name: "net1" },
    {
      ...{ op: "change-link", at: POD1, name: "net1", up: true, allMulticast: true },
      alias: `${MARK} spoke=pod1`,
    },
    { op: "own-tap", at: POD1, name: "net1", index, owner },
    { op: "change-link", at: AT, name: "pod1.b", alias: observed.links.get("pod1.b")?.alias! },
  ];
  const half = unfinished("pod1.b");
  assert.deepEqual(diff(wanted, half), expected);
  // Not even marked inside: it is known by its index.
  assert.deepEqual(diff(wanted, withLink(half, POD1, "net1", { alias: "" })), expected);
});

Deno.test("diff() does every step again of a veth that was never completed", () => {
  const expected: NetOp[] = [
    { op: "change-link", at: POD2, name: "net1", up: true, alias: `${MARK} spoke=pod2` },
    { op: "change-link", at: AT, name: "pod2.b", alias: observed.links.get("pod2.b")?.alias! },
  ];
  const half = unfinished("pod2.b");
  assert.deepEqual(diff(wanted, half), expected);
  // Not even marked inside: it is known as the other end of the port.
  assert.deepEqual(diff(wanted, withLink(half, POD2, "net1", { alias: "" })), expected);
});

Deno.test("diff() gives an attachment its mark back when only that was lost and nothing else seen", () => {
  const half = { ...unfinished("pod1.b"), hostLinks: new Map(), targets: new Map() };
  assert.deepEqual(names(diff(wanted, half)), ["change-link pod1.b"]);
});

Deno.test("diff() makes a pair anew whose other end is not where it belongs", () => {
  const half = unfinished("pod1.b");
  const elsewhere = withLink(withLink(half, "host", "pod1", "gone"), POD1, "net1", "gone");
  assert.deepEqual(names(diff(wanted, elsewhere)).slice(0, 3), [
    ...["delete-link pod1.b", "create-veth pod1", "change-link pod1"],
  ]);
  const empty = withLink(unfinished("pod2.b"), POD2, "net1", "gone");
  assert.deepEqual(names(diff(wanted, empty)).slice(0, 2), [
    ...["delete-link pod2.b", "create-veth net1"],
  ]);
});

Deno.test("diff() refuses an interface that is not the half-made attachment's own", () => {
  const half = withLink(unfinished("pod1.b"), POD1, "net1", {
    ...{ index: 5, attrs: { kind: "other", name: "dummy" } },
  });
  assert.throws(() => diff(wanted, half), /"net1" exists already/);
});

Deno.test("diff() completes a LAN that was interrupted after any operation", async () => {
  const ops = diff(wanted, NOTHING);
  for (let done = 0; done <= ops.length; done++) {
    const last = ops[done - 1];
    // A link gets its mark in the same message as its name, so nothing comes between them.
    if (last?.op === "create-veth" && last.at === HOST) continue;
    const kernel = new FakeKernel();
    kernel.addUnderlay("eth1");
    for (const path of [POD1, POD2]) kernel.machine.addNetns(path);
    await kernel.apply(ops.slice(0, done));
    await kernel.apply(diff(wanted, kernel.observe(scopeOf(wanted))));
    assert.deepEqual(diff(wanted, kernel.observe(scopeOf(wanted))), [], `after ${done}`);
    const net1 = kernel.link(POD1, "net1");
    assert.deepEqual(net1.tapOwner, owner, `after ${done}`);
    assert.deepEqual(
      [net1.up, net1.allMulticast, net1.ipv6, kernel.link(HOST, "pod1").ipv6],
      [true, true, false, false],
      `after ${done}`,
    );
    assert.equal(kernel.link(POD2, "net1").up, true, `after ${done}`);
  }
});

Deno.test("diff() completes a LAN of which any operation failed", async () => {
  const count = diff(wanted, NOTHING).length;
  for (let failing = 0; failing < count; failing++) {
    const kernel = new FakeKernel();
    kernel.addUnderlay("eth1");
    for (const path of [POD1, POD2]) kernel.machine.addNetns(path);
    const ops = diff(wanted, NOTHING);
    const op = ops[failing]!;
    // Without its mark the host end is anybody's: a person must look at it.
    if (op.op === "change-link" && op.at === HOST && op.alias !== undefined) continue;
    kernel.beforeOp = (next) => {
      if (next === op) throw new Error("refused");
    };
    await assert.rejects(kernel.apply(ops), /refused/);
    await kernel.apply(diff(wanted, kernel.observe(scopeOf(wanted))));
    assert.deepEqual(diff(wanted, kernel.observe(scopeOf(wanted))), [], JSON.stringify(op));
    assert.deepEqual(kernel.link(POD1, "net1").tapOwner, owner, JSON.stringify(op));
  }
});
