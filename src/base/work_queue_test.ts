import { deepEqual, equal } from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { WorkQueue } from "./work_queue.ts";

const BACKOFF = { firstMs: 100, mostMs: 400 };

class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly queue = new WorkQueue({ clock: this.clock, backoff: BACKOFF, random: () => 1 });
  readonly taken: string[] = [];
  readonly #stop = new AbortController();

  /** Takes keys for ever, and gives each back at once unless told to keep them. */
  constructor({ keep = false } = {}) {
    (async () => {
      for (;;) {
        const key = await this.queue.take(this.#stop.signal);
        if (key === undefined) return;
        this.taken.push(key);
        if (!keep) this.queue.done(key);
      }
    })();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

Deno.test("WorkQueue hands out a key once, however often it was added", async () => {
  using bench = new Bench();
  for (const key of ["a", "b", "a", "a"]) bench.queue.add(key);
  await bench.clock.advance(0);
  deepEqual(bench.taken, ["a", "b"]);
  equal(bench.queue.size, 0);
});

Deno.test("WorkQueue takes the earliest time that was asked for", async () => {
  using bench = new Bench();
  bench.queue.add("a", 500);
  bench.queue.add("a", 100);
  bench.queue.add("a", 900);
  await bench.clock.advance(99);
  deepEqual(bench.taken, []);
  await bench.clock.advance(1);
  deepEqual(bench.taken, ["a"]);
  await bench.clock.advance(10_000);
  deepEqual(bench.taken, ["a"]);
});

Deno.test("WorkQueue hands out keys in the order in which they become due", async () => {
  using bench = new Bench();
  bench.queue.add("late", 300);
  bench.queue.add("middle", 200);
  bench.queue.add("soon", 100);
  await bench.clock.advance(1_000);
  deepEqual(bench.taken, ["soon", "middle", "late"]);
});

Deno.test("WorkQueue holds back a key that is worked on, then hands it out again", async () => {
  using bench = new Bench({ keep: true });
  bench.queue.add("a");
  await bench.clock.advance(0);
  bench.queue.add("a");
  bench.queue.add("b");
  await bench.clock.advance(1_000);
  deepEqual(bench.taken, ["a", "b"]);
  bench.queue.done("a");
  await bench.clock.advance(0);
  deepEqual(bench.taken, ["a", "b", "a"]);
});

Deno.test("WorkQueue.retry() waits longer each time, until the key is forgotten", () => {
  using bench = new Bench();
  const waits = [1, 2, 3, 4].map(() => bench.queue.retry("a"));
  equal(bench.queue.failures("a"), 4);
  bench.queue.forget("a");
  deepEqual([...waits, bench.queue.retry("a")], [100, 200, 400, 400, 100]);
});

Deno.test("WorkQueue.take() ends when the signal fires", async () => {
  const queue = new WorkQueue({ clock: new FakeClock() });
  const stop = new AbortController();
  const waiting = queue.take(stop.signal);
  stop.abort();
  equal(await waiting, undefined);
  queue.add("a");
  equal(await queue.take(stop.signal), undefined);
});

Deno.test("WorkQueue gives each key to one of many workers", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock });
  const stop = new AbortController();
  const workers = Array.from({ length: 4 }, () => queue.take(stop.signal));
  for (const key of ["a", "b", "c"]) queue.add(key);
  await clock.advance(0);
  stop.abort();
  const got = await Promise.all(workers);
  deepEqual(got.filter((key) => key !== undefined).sort(), ["a", "b", "c"]);
});
