import { deepEqual, equal, ok } from "node:assert/strict";
import {
  DEFAULT_INTERVAL_MS,
  DIRECT_ROUNDS,
  directMax,
  dueAt,
  FRAMES_PER_ROUND,
  intervalMs,
  limitMs,
  RECEIVED_PER_SECOND,
  SENT_PER_SECOND,
} from "./schedule.ts";

const CALM = { baseMs: DEFAULT_INTERVAL_MS, askedMs: 0, isQuick: false, frames: FRAMES_PER_ROUND };

/** Nodes that are all in the same LANs. */
function costs(nodes: number, lans: number, { isQuick = false, isDirect = true } = {}) {
  const peers = nodes - 1;
  const direct = isDirect ? lans * peers : 0;
  const own = limitMs({ lans, peers: lans * peers, direct });
  const seconds = intervalMs({ ...CALM, isQuick, limitMs: own }) / 1_000;
  const alone = isDirect ? Math.min(peers / DIRECT_ROUNDS, directMax(peers)) : 0;
  return {
    seconds,
    sent: lans * (FRAMES_PER_ROUND + alone) / seconds,
    received: lans * (FRAMES_PER_ROUND * peers + alone) / seconds,
  };
}

Deno.test("intervalMs() gives the figures of docs/connectivity.md", () => {
  const table = [
    // Nodes, LANs: seconds, frames a second sent and received.
    [2, 1, 10, 0.21, 0.21],
    [3, 10, 11, 2, 3.78],
    [2, 100, 106, 2, 2],
    [100, 1, 11, 1.37, 20],
    [1000, 1, 106, 0.32, 19.13],
    [10, 100, 156, 2, 12.24],
    [2, 1000, 1063, 2, 2],
    [1000, 10, 1061, 0.32, 19.13],
  ];
  for (const [nodes = 0, lans = 0, seconds, sent, received] of table) {
    const found = costs(nodes, lans);
    const round = (value: number) => Math.round(value * 100) / 100;
    deepEqual(
      [Math.round(found.seconds), round(found.sent), round(found.received)],
      [seconds, sent, received],
    );
  }
  const unicast = costs(1000, 1, { isDirect: false });
  deepEqual([Math.round(unicast.seconds), Math.round(999 * unicast.sent)], [100, 20]);
});

Deno.test("intervalMs() keeps to both rates whatever the numbers, also in quick rounds", () => {
  for (const nodes of [1, 2, 3, 10, 100, 1000, 5000]) {
    for (const lans of [1, 2, 5, 10, 100, 1000, 2000]) {
      for (const how of [{}, { isQuick: true }, { isDirect: false }]) {
        const { sent, received } = costs(nodes, lans, how);
        ok(sent <= SENT_PER_SECOND + 1e-9, `${nodes} nodes, ${lans} LANs: sends ${sent}`);
        ok(received <= RECEIVED_PER_SECOND + 1e-9, `${nodes}, ${lans}: receives ${received}`);
      }
    }
  }
});

Deno.test("intervalMs() is as slow as the busiest peer asks, within reason", () => {
  equal(intervalMs({ ...CALM, limitMs: 500, askedMs: 20_000 }), 20_000);
  equal(intervalMs({ ...CALM, limitMs: 500, askedMs: 3_600_000 }), 600_000);
  equal(intervalMs({ ...CALM, limitMs: 500, askedMs: 20_000, isQuick: true }), 20_000);
});

Deno.test("intervalMs() is quick at first, and never slower for being configured so", () => {
  equal(intervalMs({ ...CALM, limitMs: 500, isQuick: true }), 1_000);
  equal(intervalMs({ ...CALM, baseMs: 500, limitMs: 100, isQuick: true }), 500);
  equal(intervalMs({ ...CALM, limitMs: 20_000, frames: 3 }), 30_000);
});

Deno.test("dueAt() is within the interval, and the same for all that are near each other", () => {
  for (const interval of [200, 1_000, 10_000, 50_000, 500_000]) {
    for (const now of [0, 1, 999, 123_456.7]) {
      const due = dueAt(now, interval) - now;
      ok(due <= interval && due >= 0.89 * interval, `${interval} at ${now}: ${due}`);
    }
  }
  equal(dueAt(50_001, 50_000), dueAt(54_999, 50_000));
});
