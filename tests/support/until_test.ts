import { equal, rejects } from "node:assert/strict";
import { standStill } from "./stand_still.ts";
import { until } from "./until.ts";

Deno.test("until() gives the first result, whatever was thrown before", async () => {
  let looks = 0;
  const look = () => {
    if (++looks < 3) throw new Error("not yet");
    return looks;
  };
  equal(await until("the third look", look), 3);
});

Deno.test("until() gives up when its time is over, and says why", async () => {
  const look = () => {
    throw new Error("it is not there");
  };
  await rejects(until("it comes", look, { timeout: 20 }), (error) => {
    return error instanceof Error && error.message === "Not within 20 ms: it comes" &&
      error.cause instanceof Error && error.cause.message === "it is not there";
  });
});

Deno.test("until() does not count that its process stood still", async () => {
  let isThere = false;
  setTimeout(() => {
    standStill(1_500);
    setTimeout(() => isThere = true, 50);
  }, 20);
  await until("it comes, after the standstill", () => isThere, { timeout: 1_000 });
});
