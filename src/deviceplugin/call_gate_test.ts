import assert from "node:assert/strict";
import { CallGate, pauseAfter } from "./call_gate.ts";

const PAUSES = { first: 50, max: 1_000 };

Deno.test("pauseAfter() doubles the pause up to the longest", () => {
  const pauses = [0, 1, 2, 3, 4, 5, 6, 1_000_000].map((n) => pauseAfter(n, PAUSES));
  assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
});

Deno.test("CallGate is open and without a problem at first", () => {
  const gate = new CallGate(PAUSES);
  assert.deepEqual([gate.isOpen, gate.callAt, gate.problem], [true, 0, undefined]);
});

Deno.test("CallGate waits longer after each miss in a row", () => {
  const gate = new CallGate(PAUSES);
  gate.missed("refused", 10);
  assert.deepEqual([gate.isOpen, gate.callAt, gate.problem], [false, 60, "refused"]);
  gate.missed("refused", 60);
  assert.equal(gate.callAt, 160);
});

Deno.test("CallGate counts misses at the same time once, and keeps the last problem", () => {
  const gate = new CallGate(PAUSES);
  gate.missed("first", 10);
  gate.missed("second", 11);
  gate.missed("third", 59);
  assert.deepEqual([gate.callAt, gate.problem], [60, "third"]);
});

Deno.test("CallGate forgets everything at a reset", () => {
  const gate = new CallGate(PAUSES);
  gate.missed("refused", 10);
  gate.missed("refused", 60);
  gate.reset();
  assert.deepEqual([gate.isOpen, gate.callAt, gate.problem], [true, 0, undefined]);
  gate.missed("refused", 200);
  assert.equal(gate.callAt, 250);
});
