import assert from "node:assert/strict";
import { lanObject } from "../../tests/support/kube_objects.ts";
import { LAN_CORPUS, lanWith, NOT_LANS } from "../../tests/support/lan_corpus.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { type LanObject, LANS } from "../kube/resources.ts";
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

/** What an API server that refuses nothing would send for it; undefined where that is no object at all. */
function sent(lan: unknown): LanObject | undefined {
  const { metadata, ...rest } = Object(lan);
  const given = { uid: "u1", resourceVersion: "1", creationTimestamp: "2026-01-31T12:00:00Z" };
  try {
    return LANS.decode({ ...rest, metadata: { ...given, ...metadata } });
  } catch {
    return undefined;
  }
}

/** What follows from where an object lies, and what nobody reads, is not looked at. */
const UNREAD = [
  ...["an unknown field at the top", "unknown metadata", "another kind", "another version"],
];

Deno.test("reading() has no LAN of what the API server should have refused, and names it", () => {
  const good = sent(lanWith({}, { name: "good" }))!;
  let rows = 0;
  for (const { name, lan, bad } of [...LAN_CORPUS, ...NOT_LANS]) {
    const object = sent(lan);
    if (bad.length === 0 || object === undefined || UNREAD.includes(name)) continue;
    const { lans, problems } = new LanObjects([object, good]).reading();
    assert.deepEqual(lans.map(({ metadata }) => metadata.name), ["good"], name);
    assert.deepEqual(problems.map(({ reason }) => reason), ["InvalidLan"], name);
    const { message } = problems[0]!;
    assert.match(message, /^LAN "[\x20-\x7e]*" is not valid: [\x20-\x7e…]+$/, name);
    // No more than ten faults are told.
    for (const path of bad.slice(0, 10)) {
      assert.ok(message.includes(path.replace(/\*$/, "")), `${name}: ${path} in ${message}`);
    }
    rows++;
  }
  assert.ok(rows > 300, `${rows}`);
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
