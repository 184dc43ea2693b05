import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { until } from "../../tests/support/until.ts";
import { ReconcileQueue } from "./reconcile_queue.ts";

/** A queue that writes down what it does, and does what `task` says. */
function recorded(task: (key: string) => Promise<void | boolean> | void | boolean = () => {}) {
  const done: string[] = [];
  const log = new LogRecorder();
  const queue = new ReconcileQueue(
    async (key) => {
      done.push(key);
      return await task(key) ?? true;
    },
    log,
    1,
    { firstMs: 2, mostMs: 4 },
  );
  return { done, log, queue };
}

Deno.test("add() gathers: each key once, in the order they came", async () => {
  const { done, queue } = recorded();
  for (const key of ["b", "a", "b", "c", "a"]) queue.add(key);
  assert.deepEqual(done, []);
  await until("three are done", () => done.length >= 3);
  await queue.close();
  assert.deepEqual(done, ["b", "a", "c"]);
});

Deno.test("add() of a key that is under way looks at it again", async () => {
  const { done, queue } = recorded((key) => {
    if (done.length === 1) queue.add(key);
  });
  queue.add("a");
  await until("it is done twice", () => done.length === 2);
  await queue.close();
});

Deno.test("add() never does two at once", async () => {
  let running = 0;
  let most = 0;
  const { done, queue } = recorded(async (key) => {
    most = Math.max(most, ++running);
    if (key === "a") queue.add("c");
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
  });
  queue.add("a");
  queue.add("b");
  await until("three are done", () => done.length === 3);
  await queue.close();
  assert.equal(most, 1);
});

Deno.test("add() looks again, a little later, at a key that is not well, until it is", async () => {
  const { done, queue } = recorded((key) => key === "b" || done.length >= 4);
  queue.add("a");
  queue.add("b");
  await until("it is well", () => done.length === 4);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await queue.close();
  assert.deepEqual(done.filter((key) => key === "a").length, 3);
  assert.equal(done.length, 4);
});

/** A queue in which key "slow" takes 40 ms each of its first `times`, once it has been looked at so often. */
async function slowed(times: number) {
  let left = times;
  const { done, queue } = recorded(async (key) => {
    if (key === "slow" && left-- > 0) await new Promise((resolve) => setTimeout(resolve, 40));
  });
  for (let looks = 1; looks <= times; looks++) {
    queue.add("slow");
    queue.add("b");
    await until("both are looked at", () => done.length === 2 * looks);
  }
  done.length = 0;
  return { done, queue };
}

Deno.test("add() lets a key that takes long again and again rest, and others go first", async () => {
  const { done, queue } = await slowed(2);
  queue.add("slow");
  queue.add("c");
  await until("both are done", () => done.length === 2);
  await queue.close();
  assert.deepEqual(done, ["c", "slow"]);
});

Deno.test("add() lets no key rest for one look that took long", async () => {
  const { done, queue } = await slowed(1);
  queue.add("slow");
  queue.add("c");
  await until("both are done", () => done.length === 2);
  await queue.close();
  assert.deepEqual(done, ["slow", "c"]);
});

Deno.test("add() goes on after a failure, logs it and tries again", async () => {
  const { done, log, queue } = recorded((key) => {
    if (key === "a" && done.length === 1) throw new Error("no");
  });
  queue.add("a");
  queue.add("b");
  await until("all is done", () => done.length === 3);
  await queue.close();
  assert.deepEqual(log.records.map(({ msg, key, error }) => ({ msg, key, error })), [
    { msg: "Reconcile failed", key: "a", error: "no" },
  ]);
});

Deno.test("add() lets other work in between two keys", async () => {
  const order: string[] = [];
  const { done, queue } = recorded((key) => {
    order.push(key);
    setTimeout(() => order.push("other"));
  });
  queue.add("a");
  queue.add("b");
  await until("both are done", () => done.length === 2);
  await queue.close();
  assert.deepEqual(order.slice(0, 3), ["a", "other", "b"]);
});

Deno.test("close() waits for what is under way, and drops the rest", async () => {
  const gate = Promise.withResolvers<void>();
  let finished = false;
  const { done, queue } = recorded(async () => {
    await gate.promise;
    finished = true;
  });
  queue.add("a");
  queue.add("b");
  await until("the first is under way", () => done.length === 1);
  const closed = queue.close();
  setTimeout(gate.resolve, 5);
  await closed;
  assert.equal(finished, true);
  assert.deepEqual(done, ["a"]);
});

Deno.test("close() drops what is still being gathered", async () => {
  const { done, queue } = recorded();
  queue.add("a");
  await queue.close();
  queue.add("b");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(done, []);
});
