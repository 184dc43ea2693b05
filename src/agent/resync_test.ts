import assert from "node:assert/strict";
import { isDue, isTidyTick, RESYNC_TICK_MS } from "./resync.ts";

const TICKS = 900_000 / RESYNC_TICK_MS;

Deno.test("isDue() gives every LAN one turn in a quarter of an hour", () => {
  for (let lan = 0; lan < 100; lan++) {
    const turns = Array.from({ length: TICKS }, (_, tick) => isDue(`lan-${lan}`, 7 * TICKS + tick));
    assert.equal(turns.filter((due) => due).length, 1, `lan-${lan}`);
  }
});

Deno.test("isDue() spreads LANs over the ticks", () => {
  const lans = Array.from({ length: 1000 }, (_, at) => `lan-${at}`);
  for (let tick = 0; tick < TICKS; tick++) {
    const share = lans.filter((lan) => isDue(lan, tick)).length / lans.length;
    assert.ok(share < 3 / TICKS, `${share} at tick ${tick}`);
  }
});

Deno.test("isTidyTick() is true half a minute after the start and each minute from then on", () => {
  const ticks = Array.from({ length: 20 }, (_, tick) => tick).filter(isTidyTick);
  assert.deepEqual(ticks.map((tick) => tick * RESYNC_TICK_MS), [30_000, 90_000, 150_000]);
});
