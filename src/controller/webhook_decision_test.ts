import assert from "node:assert/strict";
import type { Lan } from "../api/lan.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import type { Workload } from "./lan_report.ts";
import { decideAdmission } from "./webhook_decision.ts";
import type { AdmissionAsk } from "./webhook_review.ts";

/** A LAN "default/<name>" that shares nothing with others but what `spec` says. */
function lan(name: string, spec: object = {}, metadata: object = {}): Lan {
  const seed = seedLan({
    ...{ ns: name, vni: 1_000 + [...name].reduce((sum, char) => sum + char.charCodeAt(0), 0) },
    ...{ spokes: [`${name}-1`, `${name}-2`], ...spec },
  }, `uid-${name}`);
  return { ...seed, metadata: { ...seed.metadata, name, namespace: "default", ...metadata } };
}

function create(object: unknown): AdmissionAsk {
  return { uid: "1", operation: "CREATE", resource: "lans.lan.k8slan.io", object };
}

function update(object: unknown, oldObject: unknown): AdmissionAsk {
  return { ...create(object), operation: "UPDATE", oldObject };
}

function decide(ask: AdmissionAsk, ...lans: Lan[]) {
  return decideAdmission(ask, { isSynced: true, lans, workloads: () => [] });
}

const OLD = { creationTimestamp: "2026-01-01T00:00:00Z" };
const ATTACHED: Workload = {
  ...{ node: "worker1", lanUid: "uid-a", ifname: "net1", containerID: "0123456789abcdef" },
  attach: "macvtap",
};
const YOUNG = { creationTimestamp: "2026-06-01T00:00:00Z" };

Deno.test("decideAdmission() names field, value and holder of each clash", () => {
  const holder = lan("a", {}, OLD);
  const { ns, vni } = holder.spec;
  const cases: readonly (readonly [object, string, string])[] = [
    [{ ns }, "spec.ns", 'ns "a" belongs to LAN "default/a"'],
    [{ vni }, "spec.vni", `vni "${vni}" belongs to LAN "default/a"`],
    [{ spokes: ["x", "a-2"] }, "spec.spokes[1]", 'spoke "a-2" belongs to LAN "default/a"'],
  ];
  for (const [spec, field, message] of cases) {
    const { kind, answer, rival } = decide(create(lan("b", spec, YOUNG)), holder);
    assert.equal(kind, "conflict");
    assert.equal(rival?.name, "a");
    assert.ok(!answer.allowed);
    assert.equal(answer.name, "b");
    assert.equal(answer.causes.length, 1);
    assert.equal(answer.causes[0]?.field, field);
    assert.equal(answer.causes[0]?.reason, "FieldValueDuplicate");
    assert.ok(answer.causes[0]?.message.startsWith(message), answer.causes[0]?.message);
    assert.match(answer.causes[0]?.message ?? "", /choose another .*, or delete that LAN$/);
  }
});

Deno.test("decideAdmission() allows what shares nothing", () => {
  const { kind, answer } = decide(create(lan("b", {}, YOUNG)), lan("a", {}, OLD));
  assert.deepEqual([kind, answer], ["allowed", { allowed: true, warnings: [] }]);
});

Deno.test("decideAdmission() lets no older LAN take what a younger one has", () => {
  const [a, b] = [lan("a", {}, OLD), lan("b", {}, YOUNG)];
  const greedy = lan("a", { spokes: ["a-1", "a-2", "b-1"] }, OLD);
  const { kind, answer } = decide(update(greedy, a), a, b);
  assert.equal(kind, "conflict");
  assert.ok(!answer.allowed);
  assert.equal(answer.causes[0]?.field, "spec.spokes[2]");
  assert.match(answer.causes[0]?.message ?? "", /spoke "b-1" belongs to LAN "default\/b"/);
});

Deno.test("decideAdmission() keeps a spoke that something is attached to", () => {
  const before = lan("a", { spokes: ["a-1", "a-2", "a-3"] }, OLD);
  const users: readonly Workload[] = [
    { ...ATTACHED, spoke: "a-1", pod: { namespace: "default", name: "router" } },
    { ...ATTACHED, spoke: "a-3" },
    // One that names no spoke needs none.
    { ...ATTACHED, attach: "veth" },
  ];
  const known = { isSynced: true, lans: [before], workloads: () => users };
  const cases: readonly (readonly [readonly string[], readonly RegExp[]])[] = [
    [["a-1", "a-3"], []],
    [["a-3", "new", "a-1"], []],
    [["a-2", "a-3"], [/"a-1", which pod "default\/router" on node "worker1" is attached to/]],
    [[], [/"a-1"/, /"a-3", which container "0123456789ab" on node "worker1"/]],
  ];
  for (const [spokes, says] of cases) {
    const { kind, answer, nodes } = decideAdmission(
      update(lan("a", { spokes }, OLD), before),
      known,
    );
    assert.equal(kind, says.length === 0 ? "allowed" : "in-use");
    assert.deepEqual(nodes, says.length === 0 ? undefined : ["worker1"]);
    const causes = answer.allowed ? [] : answer.causes;
    assert.equal(causes.length, says.length);
    for (const [at, { field, message }] of causes.entries()) {
      assert.equal(field, "spec.spokes");
      assert.match(message, says[at]!);
      assert.match(message, /delete that first, then remove the spoke$/);
    }
  }
});

Deno.test("decideAdmission() lets nobody win by a lesser UID of the same second", () => {
  const known = lan("b", {}, YOUNG);
  const { kind } = decide(create(lan("a", { ns: "b" }, YOUNG)), known);
  assert.equal(kind, "conflict");
});

Deno.test("decideAdmission() compares a LAN with no older state of itself", () => {
  const stale = lan("a", {}, { ...OLD, uid: "uid-of-the-last-a" });
  assert.equal(decide(create(lan("a", {}, YOUNG)), stale).kind, "allowed");
  const [before, after] = [lan("a", {}, OLD), lan("a", { spokes: ["a-1"] }, OLD)];
  assert.equal(decide(update(after, before), before).kind, "allowed");
});

Deno.test("decideAdmission() lets what is in conflict be edited, with a warning", () => {
  const [a, loser] = [lan("a", {}, OLD), lan("b", { spokes: ["a-1", "a-2"] }, YOUNG)];
  const better = lan("b", { spokes: ["a-2"] }, YOUNG);
  const { kind, answer } = decide(update(better, loser), a, loser);
  assert.equal(kind, "allowed");
  assert.match(answer.warnings[0] ?? "", /^spec.spokes\[0\] spoke "a-2" belongs to/);
});

Deno.test("decideAdmission() says when the holder is being deleted", () => {
  const going = lan("a", {}, { ...OLD, deletionTimestamp: "2026-07-01T00:00:00Z" });
  const { answer } = decide(create(lan("b", { ns: "a" }, YOUNG)), going);
  assert.ok(!answer.allowed);
  assert.match(answer.causes[0]?.message ?? "", /which is being deleted: wait until it is gone/);
});

Deno.test("decideAdmission() tells all issues of an invalid LAN", () => {
  const bad = lan("b", { vni: 0, spokes: ["UPPER"] });
  const { kind, answer } = decide(create(bad));
  assert.equal(kind, "invalid");
  assert.ok(!answer.allowed);
  assert.deepEqual(answer.causes.map(({ field }) => field), ["spec.vni", "spec.spokes[0]"]);
});

Deno.test("decideAdmission() skips what it is not there for", () => {
  const [a, clashing] = [lan("a", {}, OLD), lan("b", { ns: "a" }, YOUNG)];
  const cases: readonly AdmissionAsk[] = [
    { ...create(clashing), operation: "DELETE" },
    { ...create(clashing), resource: "lans.lan.k8slan.io/status" },
    { ...create(clashing), resource: "pods." },
    create(lan("b", { ns: "a" }, { deletionTimestamp: "2026-07-01T00:00:00Z" })),
    update(lan("b", { ns: "a" }, { generation: 2 }), clashing),
  ];
  for (const ask of cases) {
    const { kind, answer } = decide(ask, a);
    assert.deepEqual([kind, answer.allowed], ["skipped", true], JSON.stringify(ask));
  }
});

Deno.test("decideAdmission() allows with a warning as long as the others are unknown", () => {
  const { kind, answer } = decideAdmission(create(lan("b")), {
    ...{ isSynced: false, lans: [], workloads: () => [] },
  });
  assert.deepEqual([kind, answer.allowed], ["unchecked", true]);
  assert.match(answer.warnings[0] ?? "", /not known yet/);
});

Deno.test("decideAdmission() refuses whatever is no LAN, and never throws", () => {
  for (const object of [undefined, null, 1, "x", [], {}, { metadata: 1 }, { spec: null }]) {
    const { kind, answer } = decide(create(object));
    assert.deepEqual([kind, answer.allowed], ["invalid", false], JSON.stringify(object));
  }
});

Deno.test("decideAdmission() warns of what nodes will not be able to do", () => {
  const many = Array.from({ length: 1_023 }, (_, at) => `s${at}`);
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ mtu: 9000 }, /needs an underlay with an MTU of 9070/],
    [{ spokes: many }, /1023 entries; one node can carry 1022/],
  ];
  for (const [spec, expected] of cases) {
    const { answer } = decide(create(lan("b", spec)));
    assert.ok(answer.allowed);
    assert.equal(answer.warnings.length, 1, JSON.stringify(answer.warnings));
    assert.match(answer.warnings[0] ?? "", expected);
    assert.ok((answer.warnings[0]?.length ?? 0) <= 256);
  }
  const { defaultVxlanDev: _1, vxlanDevMap: _2, ...nowhere } = lan("b").spec;
  const { answer } = decide(create({ ...lan("b"), spec: nowhere }));
  assert.match(answer.warnings[0] ?? "", /names no underlay device/);
});

Deno.test("decideAdmission() takes a LAN of 4095 spokes among a hundred others", () => {
  const others = Array.from(
    { length: 100 },
    (_, at) =>
      lan(`o${at}`, { vni: 5_000 + at, spokes: [1, 2, 3, 4].map((n) => `o${at}-${n}`) }, OLD),
  );
  const spokes = Array.from({ length: 4_095 }, (_, at) => `spoke${at}`);
  assert.equal(decide(create(lan("big", { spokes }, YOUNG)), ...others).kind, "allowed");
  const clashing = spokes.with(4_094, "o99-4");
  const { answer } = decide(create(lan("big", { spokes: clashing }, YOUNG)), ...others);
  assert.ok(!answer.allowed);
  assert.equal(answer.causes[0]?.field, "spec.spokes[4094]");
});
