import { deepEqual } from "node:assert/strict";
import { backoffMs } from "./backoff.ts";

const BACKOFF = { firstMs: 100, mostMs: 1_000 };

Deno.test("backoffMs() doubles up to the most", () => {
  const waits = [1, 2, 3, 4, 5, 1_000].map((failures) => backoffMs(BACKOFF, failures, 1));
  deepEqual(waits, [100, 200, 400, 800, 1_000, 1_000]);
});

Deno.test("backoffMs() takes at least half of it, by chance", () => {
  deepEqual([0, 0.5, 1].map((random) => backoffMs(BACKOFF, 2, random)), [100, 150, 200]);
});
