import assert from "node:assert/strict";
import { KeyedMutex } from "./keyed_mutex.ts";

Deno.test("KeyedMutex.run() runs tasks of one key one at a time, in the order they came", async () => {
  const mutex = new KeyedMutex();
  const steps: string[] = [];
  const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const runs = gates.map((gate, at) =>
    mutex.run("lan", async () => {
      steps.push(`start ${at}`);
      await gate.promise;
      steps.push(`end ${at}`);
      return at;
    })
  );
  // Released the other way round: only the order of arrival counts.
  for (const gate of gates.toReversed()) gate.resolve();
  assert.deepEqual(await Promise.all(runs), [0, 1, 2]);
  assert.deepEqual(steps, ["start 0", "end 0", "start 1", "end 1", "start 2", "end 2"]);
});

Deno.test("KeyedMutex.run() lets different keys run at once", async () => {
  const mutex = new KeyedMutex();
  const gate = Promise.withResolvers<void>();
  const held = mutex.run("a", () => gate.promise);
  assert.equal(await mutex.run("b", () => "done"), "done");
  gate.resolve();
  await held;
});

Deno.test("KeyedMutex.run() passes a failure to its caller and goes on with the next task", async () => {
  const mutex = new KeyedMutex();
  const failures = [
    mutex.run("lan", () => Promise.reject(new Error("asynchronous"))),
    mutex.run("lan", () => {
      throw new Error("synchronous");
    }),
  ];
  const last = mutex.run("lan", () => "ran");
  const outcomes = await Promise.allSettled(failures);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "rejected" ? String(outcome.reason) : "fulfilled"),
    ["Error: asynchronous", "Error: synchronous"],
  );
  assert.equal(await last, "ran");
});

Deno.test("KeyedMutex.run() accepts a task queued while another one finishes", async () => {
  const mutex = new KeyedMutex();
  const steps: string[] = [];
  const first = mutex.run("lan", () => void steps.push("first"));
  const second = first.then(() => mutex.run("lan", () => void steps.push("second")));
  const third = mutex.run("lan", () => void steps.push("third"));
  await Promise.all([second, third]);
  assert.equal(steps[0], "first");
  assert.deepEqual(steps.toSorted(), ["first", "second", "third"]);
});
