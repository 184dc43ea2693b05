import assert from "node:assert/strict";
import { codeIs } from "../../tests/support/codes.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import type { Lan, LanSpec } from "../api/lan.ts";
import { K8slanError } from "../base/errors.ts";
import { LanRegistry, type LanSelector } from "./lan_registry.ts";

let seconds = 0;

/** LAN `namespace/name` with a namespace, VNI and spoke of its own, younger than all before. */
function lan(name: string, namespace: string, spec: Partial<LanSpec> = {}): Lan {
  const own = { ns: `${name}-${namespace}`.slice(0, 13), spokes: [`${name}-${namespace}-1`] };
  const base = seedLan({ vni: ++seconds, ...own, ...spec }, `${namespace}.${name}`);
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
  return { ...base, metadata: { ...base.metadata, name, namespace, creationTimestamp } };
}

const aOne = lan("a", "one", { spokes: ["s1", "s2"], namespaces: ["one", "three"] });
const aTwo = lan("a", "two", { spokes: ["s3"] });
const bOne = lan("b", "one", { spokes: ["s4"] });
/** Asks for a spoke of `bOne`. */
const loser = lan("c", "two", { spokes: ["s5", "s4"] });
const leaving = deleting(lan("d", "one", { spokes: ["s6"] }));

function deleting(lan: Lan): Lan {
  return { ...lan, metadata: { ...lan.metadata, deletionTimestamp: "2026-02-01T00:00:00Z" } };
}

function registry(): LanRegistry {
  const all = new LanRegistry();
  all.replace([aOne, aTwo, bOne, loser, leaving]);
  return all;
}

const found: readonly (readonly [string, LanSelector, Lan, string | undefined])[] = [
  ["namespace and name", { lan: { namespace: "two", name: "a" } }, aTwo, undefined],
  ["a name that only one has", { lan: { name: "b" } }, bOne, undefined],
  [
    "a name, in the pod's own namespace first",
    { lan: { name: "a" }, podNamespace: "two" },
    aTwo,
    undefined,
  ],
  ["its spoke", { spoke: "s2" }, aOne, "s2"],
  ["a device", { deviceId: "s4" }, bOne, "s4"],
  ["name and spoke", { lan: { name: "a", namespace: "one" }, spoke: "s1" }, aOne, "s1"],
  [
    "spoke and device that agree",
    { lan: { name: "b" }, spoke: "s4", deviceId: "s4" },
    bOne,
    "s4",
  ],
  [
    "a name, for a pod of another namespace that it is offered in",
    { lan: { namespace: "one", name: "a" }, podNamespace: "three" },
    aOne,
    undefined,
  ],
  [
    "a spoke, for a pod of the LAN's own namespace",
    { spoke: "s4", podNamespace: "one" },
    bOne,
    "s4",
  ],
];

for (const [what, selector, lan, spoke] of found) {
  Deno.test(`select() finds a LAN by ${what}`, () => {
    assert.deepEqual(
      registry().select(selector),
      { lan, ...(spoke === undefined ? {} : { spoke }) },
    );
  });
}

const refused: readonly (readonly [string, LanSelector, string, RegExp])[] = [
  [
    "a name that nobody has",
    { lan: { name: "z" } },
    "LanNotFound",
    /^There is no LAN "z"/,
  ],
  [
    "a name that another namespace has",
    { lan: { namespace: "one", name: "c" } },
    "LanNotFound",
    /^There is no LAN "one\/c"/,
  ],
  [
    "a name that several have",
    { lan: { name: "a" } },
    "LanAmbiguous",
    /"a" could be any of "one\/a", "two\/a"; name its namespace too/,
  ],
  [
    "a name that several have, for a pod of a third namespace",
    { lan: { name: "a" }, podNamespace: "three" },
    "LanAmbiguous",
    /name its namespace too/,
  ],
  [
    "a LAN that lost a spoke to another",
    { lan: { name: "c" } },
    "LanNotAccepted",
    /LAN "two\/c" is not accepted: spoke "s4" belongs to LAN "one\/b", which came first/,
  ],
  [
    "the other spoke of a LAN that lost",
    { spoke: "s5" },
    "LanNotAccepted",
    /LAN "two\/c" is not accepted: spoke "s4" belongs to LAN "one\/b"/,
  ],
  [
    "a spoke of another LAN than the one that is named",
    { lan: { name: "b" }, spoke: "s1" },
    "SpokeNotFound",
    /LAN "one\/b" has no spoke "s1"; add it to spec\.spokes or name one of "s4"/,
  ],
  [
    "a LAN that is being deleted",
    { lan: { name: "d" } },
    "LanDeleting",
    /LAN "one\/d" is being deleted and takes no new workloads/,
  ],
  ["a spoke of a LAN that is being deleted", { spoke: "s6" }, "LanDeleting", /is being deleted/],
  [
    "a device that stands for no spoke",
    { deviceId: "s9" },
    "SpokeNotFound",
    /No LAN has a spoke "s9"; add it/,
  ],
  [
    "a pod of a namespace that the LAN is not offered in",
    { lan: { namespace: "one", name: "a" }, podNamespace: "two" },
    "NamespaceNotAllowed",
    /LAN "one\/a" is not offered in namespace "two", only in "one", "three"; add it to spec\.namespaces/,
  ],
  [
    "a pod of another namespace than the LAN's, by its spoke",
    { spoke: "s4", podNamespace: "two" },
    "NamespaceNotAllowed",
    /only in "one"/,
  ],
];

for (const [what, selector, code, says] of refused) {
  Deno.test(`select() refuses ${what}`, () => {
    assert.throws(() => registry().select(selector), (error) => {
      assert.ok(error instanceof K8slanError);
      assert.match(error.message, says);
      return error.code === code;
    });
  });
}

Deno.test("select() keeps a long list of spokes short", () => {
  const all = new LanRegistry();
  const spokes = Array.from({ length: 20 }, (_, at) => `x${at}`);
  all.replace([lan("big", "one", { spokes })]);
  assert.throws(() => all.select({ lan: { name: "big" }, spoke: "y" }), /"x7" and 12 more$/);
});

Deno.test("select() says of a LAN without spokes that it has none", () => {
  const all = new LanRegistry();
  all.replace([lan("empty", "one", { spokes: [] })]);
  assert.throws(() => all.select({ lan: { name: "empty" }, spoke: "y" }), /name one of none$/);
});

Deno.test("select() allows everybody when it is not known whose pod it is", () => {
  assert.equal(registry().select({ spoke: "s1" }).lan, aOne);
});

const changes: readonly (readonly [string, readonly Lan[], readonly Lan[], readonly Lan[]])[] = [
  ["a LAN that came", [aOne], [aOne, bOne], [bOne]],
  ["a LAN that went", [aOne, bOne], [aOne], [bOne]],
  ["a LAN that changed", [aOne, bOne], [{ ...aOne, spec: { ...aOne.spec, mtu: 1300 } }, bOne], [
    aOne,
  ]],
  ["no LAN when only the order changed", [aOne, bOne], [bOne, aOne], []],
  ["a LAN that was refused until another went", [bOne, loser], [loser], [bOne, loser]],
];

for (const [what, before, after, changed] of changes) {
  Deno.test(`replace() reports ${what}`, () => {
    const all = new LanRegistry();
    all.replace(before);
    assert.deepEqual(
      all.replace(after).toSorted(),
      changed.map(({ metadata }) => metadata.uid).toSorted(),
    );
  });
}

Deno.test("accepted() knows the winner alone", () => {
  const all = registry();
  assert.equal(all.accepted("one.b"), bOne);
  assert.equal(all.accepted("two.c"), undefined);
  assert.equal(all.get("two.c")?.verdict.accepted, false);
  assert.equal(all.accepted("nobody"), undefined);
});

Deno.test("all() and ids() have every LAN, refused ones too", () => {
  const all = registry();
  assert.deepEqual([...all.all()].map(({ lan }) => lan), [aOne, aTwo, bOne, loser, leaving]);
  assert.deepEqual([...all.ids()], ["one.a", "two.a", "one.b", "two.c", "one.d"]);
});

Deno.test("replace() accepts neither of two LANs with one UID", () => {
  const all = new LanRegistry();
  const twin = { ...bOne, metadata: { ...bOne.metadata, uid: aOne.metadata.uid } };
  all.replace([aOne, twin]);
  assert.throws(() => all.select({ lan: { name: "a" } }), codeIs("LanNotAccepted"));
  assert.throws(() => all.select({ lan: { name: "b" } }), codeIs("LanNotAccepted"));
});

Deno.test("accepted() gives a LAN that is being deleted, which keeps its values until it is gone", () => {
  const all = registry();
  const younger = lan("e", "two", { vni: leaving.spec.vni });
  all.replace([leaving, younger]);
  assert.equal(all.accepted(leaving.metadata.uid), leaving);
  assert.equal(all.accepted(younger.metadata.uid), undefined);
});

Deno.test("replace() names a LAN that somebody asked to go", () => {
  const all = registry();
  const changed = all.replace([aOne, aTwo, deleting(bOne), loser, leaving]);
  assert.deepEqual(changed, [bOne.metadata.uid]);
});
