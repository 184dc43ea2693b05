import assert from "node:assert/strict";
import { isSameJson } from "./same_json.ts";

const CASES: readonly (readonly [string, unknown, unknown, boolean])[] = [
  ["equal scalars", 1, 1, true],
  ["a number and its text", 1, "1", false],
  ["null and an object", null, {}, false],
  ["null and absent", { a: null }, {}, false],
  ["undefined and absent", { a: undefined }, {}, true],
  ["fields in another order", { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, true],
  ["a field more", { a: 1 }, { a: 1, b: 2 }, false],
  ["another field", { a: 1 }, { b: 1 }, false],
  ["lists in another order", [1, 2], [2, 1], false],
  ["a longer list", [1], [1, 2], false],
  ["a list and an object with its indexes", [1], { 0: 1 }, false],
  ["something deep inside", { a: [{ b: [1] }] }, { a: [{ b: [2] }] }, false],
];

for (const [what, one, other, same] of CASES) {
  Deno.test(`isSameJson() ${same ? "takes" : "tells apart"} ${what}`, () => {
    assert.equal(isSameJson(one, other), same);
    assert.equal(isSameJson(other, one), same);
  });
}
