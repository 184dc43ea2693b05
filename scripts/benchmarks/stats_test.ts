import assert from "node:assert/strict";
import { median, quantile } from "./stats.ts";

Deno.test("median() is the middle, whatever the order", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([30, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("quantile() lies between neighbours in proportion", () => {
  const hundred = Array.from({ length: 101 }, (_, at) => at);
  assert.equal(quantile(hundred, 0.99), 99);
  assert.equal(quantile([0, 10], 0.25), 2.5);
  assert.throws(() => quantile([], 0.5), /no samples/);
});
