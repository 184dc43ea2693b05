import assert from "node:assert/strict";
import { lanObject } from "../../tests/support/kube_objects.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import type { LanObject } from "../kube/resources.ts";
import { LanObjects } from "./lan_objects.ts";

const A = lanObject("a", "1", seedLan().spec);

function changed(object: LanObject, metadata: object, rest: object = {}): LanObject {
  return { ...object, ...rest, metadata: { ...object.metadata, ...metadata } };
}

Deno.test("reading() has LANs with defaults applied, and names what is wrong with the rest", () => {
  const { vxlanPort: _, ...spec } = seedLan().spec;
  const bad = lanObject("bad", "2", { ...spec, vni: 0 });
  const { lans, problems } = new LanObjects([lanObject("a", "1", spec), bad]).reading();
  assert.deepEqual(lans.map(({ metadata, spec }) => [metadata.name, spec.vxlanPort]), [[
    "a",
    4789,
  ]]);
  assert.deepEqual(problems, [{
    reason: "InvalidLan",
    message: 'LAN "default/bad" is not valid: spec.vni must be at least 1, found 0',
  }]);
});

const events: readonly (readonly [string, LanObject, boolean])[] = [
  ["another version alone", changed(A, { resourceVersion: "2" }), false],
  ["another status", changed(A, { resourceVersion: "2" }, { status: { attached: 1 } }), false],
  ["other labels", changed(A, { resourceVersion: "2", labels: { a: "b" } }), false],
  ["another spec", changed(A, {}, { spec: { ...seedLan().spec, mtu: 1300 } }), true],
  ["its deletion", changed(A, { deletionTimestamp: "2026-02-01T00:00:00Z" }), true],
  ["another object of its name", changed(A, { uid: "other" }), true],
  ["another LAN", lanObject("b", "1", seedLan().spec), true],
];

for (const [what, object, expected] of events) {
  Deno.test(`apply() says ${expected ? "that" : "that nothing"} changes with ${what}`, () => {
    const lans = new LanObjects([A]);
    const before = lans.reading().lans[0];
    assert.equal(lans.apply({ type: "applied", object }), expected);
    if (!expected) assert.equal(lans.reading().lans[0], before, "the same object");
  });
}

Deno.test("apply() forgets what is deleted, once", () => {
  const lans = new LanObjects([A]);
  assert.equal(lans.apply({ type: "deleted", object: A }), true);
  assert.equal(lans.apply({ type: "deleted", object: A }), false);
  assert.deepEqual(lans.reading(), { lans: [], problems: [] });
});

Deno.test("objects() has what is to be remembered, in its newest version", () => {
  const lans = new LanObjects([changed(A, { labels: { a: "b" }, finalizers: ["x"] })]);
  lans.apply({ type: "applied", object: changed(A, { resourceVersion: "7" }, { status: {} }) });
  assert.deepEqual(lans.objects(), [changed(A, { resourceVersion: "7" })]);
});
