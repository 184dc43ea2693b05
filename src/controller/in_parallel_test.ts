import { deepEqual, equal, rejects } from "node:assert/strict";
import { inParallel } from "./in_parallel.ts";

Deno.test("inParallel() works on each item once, in order, so many at a time", async () => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  });
  deepEqual(begun, [1, 2, 3, 4, 5]);
  equal(most, 2);
});

Deno.test("inParallel() begins nothing after a failure, and waits for what is under way", async () => {
  const begun: number[] = [];
  const gate = Promise.withResolvers<void>();
  let isOver = false;
  const all = inParallel([1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error("no");
    await gate.promise;
    isOver = true;
  });
  gate.resolve();
  await rejects(all, /no/);
  deepEqual(begun, [1, 2]);
  equal(isOver, true);
});
