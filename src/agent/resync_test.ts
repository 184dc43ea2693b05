import assert from "node:assert/strict";
import { isDue, RESYNC_TICK_MS } from "./resync.ts";

const TICKS = 300_000 / RESYNC_TICK_MS;

Deno.test("isDue() gives every LAN one turn in five minutes", () => {
  for (let lan = 0; lan < 100; lan++) {
    const turns = Array.from({ length: TICKS }, (_, tick) => isDue(`lan-${lan}`, 7 * TICKS + tick));
    assert.equal(turns.filter((due) => due).length, 1, `lan-${lan}`);
  }
});

Deno.test("isDue() spreads LANs over the ticks", () => {
  const lans = Array.from({ length: 1000 }, (_, at) => `lan-${at}`);
  for (let tick = 0; tick < TICKS; tick++) {
    const share = lans.filter((lan) => isDue(lan, tick)).length / lans.length;
    assert.ok(share < 2 / TICKS, `${share} at tick ${tick}`);
  }
});
