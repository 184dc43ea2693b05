import assert from "node:assert/strict";
import { lanObject } from "../../tests/support/kube_objects.ts";
import { lanFigures } from "./metrics_lans.ts";

Deno.test("lanFigures() counts LANs by condition, and what is unknown as Unknown", () => {
  const condition = { reason: "R", message: "m", lastTransitionTime: "2026-01-31T12:00:00Z" };
  const ready = {
    ...{ spokes: 4, attached: 2 },
    conditions: [
      { ...condition, type: "Ready", status: "True" as const },
      { ...condition, type: "Accepted", status: "False" as const },
    ],
  };
  const figures = lanFigures([lanObject("a"), { ...lanObject("b"), status: ready }]);
  assert.deepEqual([figures.lans, figures.spokes, figures.attached], [2, 4, 2]);
  assert.equal(figures.conditions.length, 18);
  const of = (type: string) =>
    figures.conditions.filter(({ condition }) => condition === type).map(({ lans }) => lans);
  assert.deepEqual(of("Ready"), [1, 0, 1]); // True, False, Unknown
  assert.deepEqual(of("Accepted"), [0, 1, 1]);
  assert.deepEqual(of("InUse"), [0, 0, 2]);
});
