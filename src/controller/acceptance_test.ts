import { deepEqual, equal } from "node:assert/strict";
import { lanOf } from "../../tests/support/controller_stage.ts";
import { lanObject } from "../../tests/support/kube_objects.ts";
import type { LanObject } from "../kube/resources.ts";
import { Acceptance } from "./acceptance.ts";

/** A LAN, the older the lesser its `age`. */
function lan(name: string, age: number, spec: object = {}): LanObject {
  const object = lanObject(name, "1", { ...Object(lanOf(name).spec), ...spec });
  const creationTimestamp = `2026-01-31T12:00:${String(age).padStart(2, "0")}Z`;
  return { ...object, metadata: { ...object.metadata, creationTimestamp } };
}

Deno.test("Acceptance tells whose verdict a change has altered", () => {
  let objects: LanObject[] = [];
  const acceptance = new Acceptance(() => objects);
  const change = (...next: LanObject[]) => {
    objects = next;
    acceptance.changed();
    return acceptance.refresh();
  };
  const [a, b, c] = [
    lan("a", 1, { vni: 1 }),
    lan("b", 2, { vni: 1, spokes: ["x"] }),
    lan("c", 3, { spokes: ["x"] }),
  ] as const;
  deepEqual(change(a), ["default/a"]);
  deepEqual(change(a, b), ["default/b"]);
  deepEqual(change(a, b, c), ["default/c"]);
  deepEqual([a, b, c].map((one) => acceptance.verdict(one)?.kind), [
    "accepted",
    "conflict",
    "accepted",
  ]);
  deepEqual(change(a, b, c), []);
  deepEqual(change(b, c), ["default/b", "default/c"]); // b has the spoke now
  deepEqual(change(c), ["default/c"]);
});

Deno.test("Acceptance looks at nothing again before it is told of a change", () => {
  let looks = 0;
  const acceptance = new Acceptance(() => {
    looks++;
    return [];
  });
  acceptance.refresh();
  const first = looks;
  acceptance.refresh();
  equal(looks, first);
});

Deno.test("Acceptance lets an invalid LAN occupy nothing, and says what is wrong with it", () => {
  const objects = [lan("a", 1, { vni: 1, mtu: 3 }), lan("b", 2, { vni: 1 })];
  const acceptance = new Acceptance(() => objects);
  acceptance.refresh();
  deepEqual(acceptance.verdict(objects[0]!), {
    kind: "invalid",
    message: "spec.mtu must be at least 1280, found 3",
  });
  equal(acceptance.verdict(objects[1]!)?.kind, "accepted");
  deepEqual(acceptance.lans().map(({ metadata }) => metadata.name), ["b"]);
});

Deno.test("Acceptance lets a LAN that is being deleted keep what it has", () => {
  const a = lan("a", 1, { vni: 1 });
  const going = { ...a, metadata: { ...a.metadata, deletionTimestamp: "2026-02-01T00:00:00Z" } };
  const b = lan("b", 2, { vni: 1 });
  const acceptance = new Acceptance(() => [going, b]);
  acceptance.refresh();
  equal(acceptance.verdict(b)?.kind, "conflict");
});
