import { ok } from "node:assert/strict";
import { fastClock } from "./fast_clock.ts";
import { standStill } from "./stand_still.ts";

const FACTOR = 100;
const { signal } = new AbortController();

Deno.test("fastClock() lets sleepers sleep as long as asked by it, which is less by the machine's", async () => {
  const clock = fastClock(FACTOR);
  const [before, started] = [clock.now(), performance.now()];
  await Promise.all([2_000, 10_000, 0].map((ms) => clock.sleep(ms, signal)));
  ok(clock.now() - before >= 10_000);
  // Standstills aside, a hundredth.
  ok(performance.now() - started >= 10_000 / FACTOR - 1);
});

Deno.test("fastClock() stands still while the process does", async () => {
  const clock = fastClock(FACTOR);
  const sleeping = clock.sleep(20_000, signal);
  const before = clock.now();
  standStill(500);
  const passed = clock.now() - before;
  ok(passed < 20_000, `${passed} ms passed in a standstill of 500 ms`);
  await sleeping;
});

Deno.test("fastClock() wakes sleepers whose signal fires", async () => {
  const stop = new AbortController();
  const sleeping = fastClock(FACTOR).sleep(Infinity, stop.signal);
  stop.abort();
  await sleeping;
});
