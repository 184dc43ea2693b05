import { deepEqual, equal, ok } from "node:assert/strict";
import { K8slanError } from "../base/errors.ts";
import { kubeErrorOf } from "./kube_error.ts";
import { firstWatchState, step, type WatchOutcome, type WatchState } from "./watch_plan.ts";

const NOW = 1_000_000;
const WATCHING: WatchState = {
  next: { do: "watch", at: NOW, resourceVersion: "5" },
  failures: 0,
  shortWatches: 0,
  listedAt: NOW - 60_000,
};
const JUST_LISTED: WatchState = { ...WATCHING, listedAt: NOW - 1_000 };

const answer = (status: number, retryAfterMs?: number) =>
  kubeErrorOf("watch lans", status, "", retryAfterMs);
const down = new K8slanError("ApiServerUnreachable", "down");
const silent = new K8slanError("ApiServerTimeout", "silent");
const garbled = new K8slanError("ApiServerGarbled", "garbled");

interface Row {
  readonly what: string;
  readonly state?: WatchState;
  readonly error?: unknown;
  readonly events?: number;
  /** Milliseconds that the watch lasted. */
  readonly lasted?: number;
  /** What follows, and after how many milliseconds. */
  readonly then: string;
}

const failed = (count: number): WatchState => {
  return { ...WATCHING, failures: count, shortWatches: count };
};

const ROWS: readonly Row[] = [
  { what: "a proper end", lasted: 55_000, then: "watch 7 after 0" },
  { what: "a proper end after an event", events: 1, lasted: 1_000, then: "watch 7 after 0" },
  { what: "an instant end after an event", events: 1, lasted: 10, then: "watch 7 after 990" },
  { what: "an instant end", lasted: 10, then: "watch 7 after 1000" },
  { what: "a second one", state: failed(1), lasted: 10, then: "watch 7 after 2000" },
  { what: "a third one", state: failed(2), lasted: 10, then: "list after 4000" },
  { what: "no answer", error: down, then: "list after 500" },
  { what: "a break after a while", error: down, lasted: 9_000, then: "watch 7 after 500" },
  { what: "no answer for the third time", state: failed(2), error: down, then: "list after 1500" },
  { what: "no answer for a minute", state: failed(99), error: down, then: "list after 1500" },
  { what: "no answer for an hour", state: failed(999), error: down, then: "list after 4000" },
  {
    what: "a break after events",
    state: failed(9),
    error: down,
    events: 3,
    then: "watch 7 after 500",
  },
  { what: "silence", error: silent, lasted: 60_000, then: "list after 0" },
  { what: "nonsense", error: garbled, then: "watch 7 after 1000" },
  { what: "410", error: answer(410), then: "list after 0" },
  {
    what: "410 soon after a list",
    state: JUST_LISTED,
    error: answer(410),
    then: "list after 4000",
  },
  { what: "410 again", state: failed(1), error: answer(410), then: "list after 2000" },
  {
    what: "410 of a server that was away for long",
    state: { ...failed(9), unanswered: true },
    error: answer(410),
    then: "list after 0",
  },
  {
    what: "503 of a server that was away for long",
    state: { ...failed(9), unanswered: true },
    error: answer(503),
    then: "list after 1000",
  },
  { what: "404", error: answer(404), then: "list after 0" },
  { what: "400", error: answer(400), then: "list after 0" },
  { what: "403", error: answer(403), then: "watch 7 after 1000" },
  { what: "403 for long", state: failed(20), error: answer(403), then: "list after 30000" },
  { what: "504, a version too large", error: answer(504), then: "watch 7 after 1000" },
  { what: "429", error: answer(429, 17_000), then: "watch 7 after 17000" },
  { what: "429 for long", state: failed(2), error: answer(429), then: "watch 7 after 4000" },
  { what: "429 with an absurd wait", error: answer(429, 1e9), then: "watch 7 after 30000" },
  { what: "503", state: failed(1), error: answer(503), then: "watch 7 after 2000" },
];

for (const { what, state = WATCHING, error, events = 0, lasted = 100, then } of ROWS) {
  Deno.test(`step() after a watch: ${what}`, () => {
    const beganAt = NOW - lasted;
    const ended = { kind: "watch-ended", beganAt, resourceVersion: "7", events } as const;
    const outcome: WatchOutcome = error === undefined ? ended : { ...ended, error };
    equal(describeNext(step(state, outcome, NOW, 1)), then);
  });
}

function describeNext({ next }: WatchState): string {
  const what = next.do === "watch" ? `watch ${next.resourceVersion}` : "list";
  return `${what} after ${next.at - NOW}`;
}

Deno.test("step() lists at most every 5 s, whatever happens", () => {
  let state = firstWatchState(NOW);
  let now = NOW;
  const lists: number[] = [];
  for (let n = 0; n < 300; n++) {
    const { next } = state;
    now = Math.max(now, next.at);
    if (next.do === "list") {
      lists.push(now);
      state = step(
        state,
        n % 7 === 0
          ? { kind: "list-failed", beganAt: now, error: answer(500) }
          : { kind: "listed", beganAt: now, resourceVersion: "5", items: 1, known: 1 },
        now,
        0,
      );
    } else {
      const error = answer([410, 404, 500][n % 3]!);
      state = step(
        state,
        { kind: "watch-ended", beganAt: now, resourceVersion: "5", events: n % 2, error },
        now,
        0,
      );
    }
  }
  const gaps = lists.slice(1).map((at, nth) => at - lists[nth]!);
  ok(gaps.length > 20);
  ok(Math.min(...gaps) >= 5_000, `${Math.min(...gaps)} ms`);
});

Deno.test("step() lists twice at once for a server that is back, and then every 5 s", () => {
  let state = firstWatchState(NOW);
  for (let n = 0; n < 9; n++) {
    state = step(state, { kind: "list-failed", beganAt: NOW, error: down }, NOW, 1);
  }
  const waits: number[] = [];
  let now = NOW;
  for (let n = 0; n < 4; n++) {
    const resourceVersion = "5";
    const listed = { kind: "listed", beganAt: now, resourceVersion, items: 1, known: 1 } as const;
    state = step(state, listed, now, 1);
    const ended = { kind: "watch-ended", beganAt: now, resourceVersion, events: 0 } as const;
    state = step(state, { ...ended, error: answer(410) }, now, 1);
    waits.push(state.next.at - now);
    now = state.next.at;
  }
  deepEqual(waits, [0, 5_000, 5_000, 8_000]);
});

Deno.test("step() waits between half and all of 30 s at most while it is refused", () => {
  for (const random of [0, 1]) {
    let state = firstWatchState(NOW);
    for (let n = 0; n < 50; n++) {
      state = step(state, { kind: "list-failed", beganAt: NOW, error: answer(500) }, NOW, random);
    }
    deepEqual(state.next, { do: "list", at: NOW + (random === 0 ? 15_000 : 30_000), paged: true });
  }
});
