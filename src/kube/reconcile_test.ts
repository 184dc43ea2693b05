import { deepEqual, equal, match } from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { WorkQueue } from "../base/work_queue.ts";
import { kubeErrorOf } from "./kube_error.ts";
import { type Reconcile, runReconciler, TerminalError } from "./reconcile.ts";

class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new LogRecorder();
  readonly queue = new WorkQueue({
    clock: this.clock,
    backoff: { firstMs: 100, mostMs: 1_000 },
    random: () => 1,
  });
  readonly stop = new AbortController();
  readonly running: Promise<void>;

  constructor(reconcile: Reconcile, options: { workers?: number; deadlineMs?: number } = {}) {
    const { queue, log, clock, stop: { signal } } = this;
    this.running = runReconciler({ queue, reconcile, signal, log, clock, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.running;
  }
}

Deno.test("runReconciler() tries a failed key again, later each time, until it is well", async () => {
  const at: number[] = [];
  await using bench = new Bench((): Promise<void> => {
    at.push(bench.clock.now());
    return at.length < 4 ? Promise.reject(new Error("not yet")) : Promise.resolve();
  });
  bench.queue.add("a");
  await bench.clock.advance(60_000);
  deepEqual(at.map((time) => time - at[0]!), [0, 100, 300, 700]);
  equal(bench.queue.failures("a"), 0);
  deepEqual(bench.log.records.map(({ level, againMs }) => [level, againMs]), [
    ["warn", 100],
    ["warn", 200],
    ["warn", 400],
  ]);
});

Deno.test("runReconciler() comes back when asked to", async () => {
  let calls = 0;
  await using bench = new Bench(() => {
    calls++;
    return Promise.resolve({ requeueAfterMs: 10_000 });
  });
  bench.queue.add("a");
  await bench.clock.advance(35_000);
  equal(calls, 4);
});

Deno.test("runReconciler() doesn't try again after a TerminalError", async () => {
  let calls = 0;
  await using bench = new Bench(() => {
    calls++;
    return Promise.reject(new TerminalError("Broken", "It is broken"));
  });
  bench.queue.add("a");
  await bench.clock.advance(60_000);
  equal(calls, 1);
  deepEqual(bench.log.messages("error"), ["Reconcile failed for good"]);
  bench.queue.add("a");
  await bench.clock.advance(0);
  equal(calls, 2);
});

Deno.test("runReconciler() makes no fuss of a conflict or two", async () => {
  let calls = 0;
  await using bench = new Bench((): Promise<void> => {
    return ++calls < 6 ? Promise.reject(kubeErrorOf("patch", 409, "")) : Promise.resolve();
  });
  bench.queue.add("a");
  await bench.clock.advance(60_000);
  deepEqual(bench.log.records.map(({ level }) => level), [
    "debug",
    "debug",
    "debug",
    "warn",
    "warn",
  ]);
});

Deno.test("runReconciler() works on as many keys at once as told, on each once", async () => {
  const running = new Set<string>();
  let most = 0;
  const gates: (() => void)[] = [];
  await using bench = new Bench(async (key) => {
    equal(running.has(key), false);
    running.add(key);
    most = Math.max(most, running.size);
    await new Promise<void>((resolve) => gates.push(resolve));
    running.delete(key);
  }, { workers: 2 });
  for (const key of ["a", "b", "c"]) bench.queue.add(key);
  for (let n = 0; n < 3; n++) {
    await bench.clock.advance(0);
    bench.queue.add("a");
    gates.shift()?.();
  }
  await bench.clock.advance(0);
  for (const open of gates.splice(0)) open();
  await bench.clock.advance(0);
  for (const open of gates.splice(0)) open();
  equal(most, 2);
});

Deno.test("runReconciler() tells a reconciliation that takes too long to end", async () => {
  await using bench = new Bench((_, signal) => {
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  }, { deadlineMs: 5_000 });
  bench.queue.add("a");
  await bench.clock.advance(5_000);
  match(String(bench.log.records[0]?.["error"]), /"a" took more than 5 s/);
});

Deno.test("runReconciler() ends with its signal, after what is under way, without a word", async () => {
  let ended = false;
  const bench = new Bench(async (_, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    ended = true;
    throw new Error("interrupted");
  });
  bench.queue.add("a");
  await bench.clock.advance(0);
  await bench[Symbol.asyncDispose]();
  equal(ended, true);
  deepEqual(bench.log.records, []);
  equal(bench.clock.sleepers, 0);
});
