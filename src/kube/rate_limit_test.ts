import { deepEqual, equal, rejects } from "node:assert/strict";
import { FakeClock, settle } from "../../tests/support/fake_clock.ts";
import { RateLimit } from "./rate_limit.ts";

const NEVER = new AbortController().signal;

/** How many of the requests that wait since the start have gone after each of `waits`, in ms. */
async function gone(limit: RateLimit, clock: FakeClock, waits: readonly number[]) {
  let count = 0;
  for (let n = 0; n < 20; n++) limit.take(NEVER).then(() => count++);
  const counts: number[] = [];
  for (const ms of waits) {
    await clock.advance(ms);
    counts.push(count);
  }
  return counts;
}

Deno.test("RateLimit lets a burst through, then one after the other", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(10, 5, clock);
  deepEqual(await gone(limit, clock, [0, 100, 99, 1, 1_000]), [5, 6, 6, 7, 17]);
});

Deno.test("RateLimit saves up no more than a burst", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(10, 5, clock);
  await limit.take(NEVER);
  await clock.advance(60_000);
  deepEqual(await gone(limit, clock, [0, 100]), [5, 6]);
});

Deno.test("RateLimit.pause() holds everybody back", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(10, 5, clock);
  limit.pause(1_000);
  deepEqual(await gone(limit, clock, [999, 1, 100]), [0, 1, 2]);
});

Deno.test("RateLimit.take() ends when the signal fires", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(10, 1, clock);
  await limit.take(NEVER);
  const stop = new AbortController();
  const waiting = rejects(limit.take(stop.signal), /enough/);
  await settle();
  stop.abort(new Error("enough"));
  await waiting;
  equal(clock.sleepers, 0);
});
