import { ok } from "node:assert/strict";
import { systemClock } from "./clock.ts";

Deno.test("systemClock sleeps as long as asked", async () => {
  const before = systemClock.now();
  await systemClock.sleep(20, new AbortController().signal);
  const slept = systemClock.now() - before;
  ok(slept >= 19, String(slept));
});

Deno.test("systemClock wakes when the signal fires, or has fired", async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(Infinity, stop.signal);
  stop.abort();
  await sleeping;
  await systemClock.sleep(Infinity, stop.signal);
});
