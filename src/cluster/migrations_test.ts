import assert from "node:assert/strict";
import { lanObject } from "../../tests/support/kube_objects.ts";
import type { Migration } from "../api/lan_status.ts";
import type { LanObject } from "../kube/resources.ts";
import { markId } from "../plan/mark.ts";
import type { Holder } from "./holders.ts";
import {
  isExpected,
  isMigrating,
  Migrations,
  type OpenMigration,
  openMigrationSchema,
} from "./migrations.ts";

const FROM = { node: "n1", namespace: "lab", name: "old", uid: "u-old" };
const TO = { namespace: "lab", name: "new", uid: "u-new" };
const MIGRATION: OpenMigration = { lanUid: "lan", spoke: "a1", from: FROM, to: TO };
const BOUND: OpenMigration = { ...MIGRATION, to: { ...TO, node: "n2" } };

const SOURCE: Holder = { node: "n1", pod: { namespace: "lab", name: "old", uid: "u-old" } };
const TARGET: Holder = { node: "n2", pod: TO };
const OTHER: Holder = { node: "n1", pod: { namespace: "lab", name: "other", uid: "u-other" } };
const BY_HAND: Holder = { node: "n1" };

/** What migrates, who has the spoke on another node, the node, and whether a pod may come there. */
const NODES: readonly (readonly [OpenMigration | undefined, Holder, string, boolean])[] = [
  [MIGRATION, SOURCE, "n2", true],
  [MIGRATION, SOURCE, "n3", true],
  [BOUND, SOURCE, "n2", true],
  [BOUND, SOURCE, "n3", false],
  [BOUND, TARGET, "n1", true],
  [BOUND, TARGET, "n3", false],
  [MIGRATION, OTHER, "n2", false],
  [MIGRATION, BY_HAND, "n2", false],
  [MIGRATION, { ...SOURCE, node: "n4" }, "n2", false],
  [undefined, SOURCE, "n2", false],
];
for (const [migration, holder, node, expected] of NODES) {
  const what = migration === undefined ? "no migration" : `one to ${migration.to.node ?? "any"}`;
  const who = `${holder.pod?.name ?? "nobody"} on ${holder.node}`;
  Deno.test(`isExpected() is ${expected} on ${node} with ${what} and ${who}`, () => {
    assert.equal(isExpected(migration, holder, node), expected);
  });
}

/** Who asks, what migrates, who has the spoke elsewhere, and whether the pod may have it too. */
const PODS: readonly (readonly [
  string,
  { namespace: string; name: string; uid?: string } | undefined,
  OpenMigration | undefined,
  Holder,
  boolean,
])[] = [
  ["the target", TO, MIGRATION, SOURCE, true],
  ["the target on its node", TO, BOUND, SOURCE, true],
  ["the source again beside the target", { ...FROM }, BOUND, TARGET, true],
  ["a pod of the target's name", { ...TO, uid: "u-x" }, MIGRATION, SOURCE, false],
  ["the target without its UID", { namespace: "lab", name: "new" }, MIGRATION, SOURCE, false],
  ["a pod of another namespace", { ...TO, namespace: "evil" }, MIGRATION, SOURCE, false],
  ["another pod", { namespace: "lab", name: "x", uid: "u-x" }, MIGRATION, SOURCE, false],
  ["another pod beside the target", { ...FROM, uid: "u-x" }, BOUND, TARGET, false],
  ["root by hand", undefined, MIGRATION, SOURCE, false],
  ["the target without a migration", TO, undefined, SOURCE, false],
  ["the target where another pod has the spoke", TO, MIGRATION, OTHER, false],
  ["the target where nobody's workload has the spoke", TO, MIGRATION, BY_HAND, false],
];
for (const [who, pod, migration, holder, admitted] of PODS) {
  Deno.test(`isMigrating() is ${admitted} for ${who}`, () => {
    assert.equal(isMigrating(migration, holder, pod), admitted);
  });
}

function lan(...migrations: Migration[]): LanObject {
  return { ...lanObject("lan"), status: { migrations } };
}

const { uid: UID } = lanObject("lan").metadata;
const ONE: Migration = { spoke: "a1", from: FROM, to: TO };

Deno.test("Migrations.apply() says whether anything migrates differently", () => {
  const migrations = new Migrations();
  const bound: Migration = { ...ONE, to: { ...TO, node: "n2" } };
  const { uid, namespace, name, node } = FROM;
  const steps: readonly (readonly [LanObject, boolean])[] = [
    [lanObject("lan"), false],
    [lan(ONE), true],
    [lan(ONE), false],
    // As the API server orders fields.
    [lan({ to: TO, spoke: "a1", from: { uid, namespace, name, node } }), false],
    [lan(bound), true],
    [lan(), true],
    [lanObject("lan"), false],
    [lan(ONE, { ...ONE, spoke: "a2" }), true],
  ];
  for (const [object, changed] of steps) {
    assert.equal(migrations.apply({ type: "applied", object }), changed);
  }
  assert.deepEqual(migrations.open.map(({ spoke }) => spoke), ["a1", "a2"]);
  assert.equal(migrations.apply({ type: "synced" }), false);
  assert.equal(migrations.apply({ type: "deleted", object: lanObject("lan") }), true);
  assert.deepEqual(migrations.open, []);
});

Deno.test("Migrations.of() finds that of a LAN and spoke, also by the LAN's id in marks", () => {
  const migrations = new Migrations();
  migrations.apply({ type: "applied", object: lan(ONE) });
  assert.deepEqual(migrations.of(UID, "a1"), { ...ONE, lanUid: UID });
  assert.deepEqual(migrations.of(markId(UID), "a1"), { ...ONE, lanUid: UID });
  assert.equal(migrations.of(UID, "a2"), undefined);
  assert.equal(migrations.of("other", "a1"), undefined);
});

Deno.test("Migrations knows what it is given back, which is no news when it is told again", () => {
  const before = new Migrations();
  before.apply({ type: "applied", object: lan(ONE) });
  const remembered = openMigrationSchema.array().parse(JSON.parse(JSON.stringify(before.open)));
  const migrations = new Migrations(remembered);
  assert.equal(migrations.of(UID, "a1")?.to.uid, "u-new");
  assert.equal(migrations.apply({ type: "applied", object: lan(ONE) }), false);
  assert.equal(migrations.apply({ type: "applied", object: lanObject("lan") }), true);
});

Deno.test("Migrations takes nothing from a status that is none of the controller's", () => {
  const migrations = new Migrations();
  for (const bad of [{}, [null], [{ spoke: "a1" }], "a1"]) {
    const object = { ...lanObject("lan"), status: { migrations: bad } } as unknown as LanObject;
    assert.equal(migrations.apply({ type: "applied", object }), false);
  }
});
