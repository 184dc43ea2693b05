import assert from "node:assert/strict";
import { announcement, localStations } from "./announce.ts";

const LEARNED = { index: 4, mac: "02:00:00:00:00:01", permanent: false, self: false };

Deno.test("localStations() are what the bridge has learned on ports of workloads, each once", () => {
  const found = localStations([
    LEARNED,
    { ...LEARNED, index: 5 },
    { ...LEARNED, index: 5, mac: "02:00:00:00:00:02" },
    { ...LEARNED, mac: "02:00:00:00:00:03", permanent: true },
    { ...LEARNED, mac: "02:00:00:00:00:04", self: true },
    { ...LEARNED, mac: "02:00:00:00:00:05", index: 7 },
  ], new Set([7]));
  assert.deepEqual(found, ["02:00:00:00:00:01", "02:00:00:00:00:02"]);
});

Deno.test("announcement() comes from the station and is for nobody", () => {
  const hex = announcement("02:00:00:00:00:01").toHex();
  assert.equal(hex, `0180c200000102000000000188b5${"00".repeat(46)}`);
});
