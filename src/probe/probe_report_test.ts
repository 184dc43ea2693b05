import { deepEqual, equal } from "node:assert/strict";
import { type Judgement, Peer, type PeerState } from "./peer.ts";
import { lossStep, probeCounts, ProbeReport, roundTripStep, SteadyStep } from "./probe_report.ts";

function peers(states: readonly PeerState[], more: Partial<Judgement> = {}) {
  return states.map((state, at) => ({ node: `n${at}`, judged: { state, ...more } }));
}

Deno.test("probeCounts() names what is wrong with whom, and only that", () => {
  const unreachable = (reason: string, mtu?: number) => [
    { node: "n1", reason, ...(mtu === undefined ? {} : { mtu }) },
  ];
  const table: readonly (readonly [readonly PeerState[], Partial<Judgement>, object])[] = [
    [[], {}, { state: "Known", peers: 0, reachable: 0 }],
    [["reachable", "reachable"], {}, { state: "Known", peers: 2, reachable: 2 }],
    [["reachable", "probing"], {}, { state: "Probing", peers: 2, reachable: 1 }],
    [["reachable", "silent"], {}, {
      ...{ state: "Known", peers: 2, reachable: 1, unreachable: unreachable("Silent") },
    }],
    [["reachable", "oneWay"], {}, {
      ...{ state: "Known", peers: 2, reachable: 1, unreachable: unreachable("OneWay") },
    }],
    [["reachable", "groupOnly"], {}, {
      ...{ state: "Known", peers: 2, reachable: 1, unreachable: unreachable("UnicastBlocked") },
    }],
    [["reachable", "paused"], {}, {
      ...{ state: "Known", peers: 2, reachable: 1, unreachable: unreachable("AgentStopped") },
    }],
    [["probing", "smallOnly"], { mtu: 1334 }, {
      ...{ state: "Probing", peers: 2, reachable: 0 },
      unreachable: unreachable("MtuTooSmall", 1334),
    }],
  ];
  for (const [states, more, expected] of table) {
    deepEqual(probeCounts(peers(states, more), true), expected);
  }
  equal(probeCounts(peers(["reachable"]), false).state, "Probing");
});

Deno.test("probeCounts() stays small with a thousand nodes that are all away", () => {
  const report = probeCounts(peers(Array(1000).fill("silent")), true);
  deepEqual([report.peers, report.reachable, report.unreachable?.length], [1000, 0, 16]);
});

Deno.test("SteadyStep tells another step only when it has lasted for a minute", () => {
  const step = new SteadyStep(roundTripStep);
  equal(step.tell(undefined, 0), undefined);
  equal(step.tell(1.5, 0), 2);
  equal(step.tell(40, 1_000), 2);
  equal(step.tell(1.5, 30_000), 2);
  equal(step.tell(40, 40_000), 2);
  equal(step.tell(40, 99_000), 2);
  equal(step.tell(40, 101_000), 50);
  equal(step.tell(undefined, 200_000), 50);
});

Deno.test("SteadyStep does not go to and fro at the edge of a step", () => {
  const step = new SteadyStep(roundTripStep);
  for (let now = 0; now < 3_600_000; now += 10_000) {
    equal(step.tell(now % 20_000 === 0 ? 1.9 : 2.1, now), 2);
  }
});

Deno.test("lossStep() says at least, roundTripStep() at most", () => {
  const losses = [[0, 0], [3, 0], [5, 5], [24, 10], [49, 25], [100, 75]] as const;
  for (const [percent, step] of losses) equal(lossStep(percent), step);
  const trips = [[0.1, 1], [1, 1], [1.1, 2], [700, 1_000], [1e9, 60_000]] as const;
  for (const [ms, step] of trips) equal(roundTripStep(ms), step);
});

Deno.test("ProbeReport tells of a thousand nodes that go one by one a few times, not a thousand", () => {
  const report = new ProbeReport();
  const peers = Array.from({ length: 1_000 }, (_, at) => new Peer(`n${at}`, 0));
  for (const peer of peers) peer.judged = { state: "reachable" };
  equal(report.update(peers, true, 0), true);
  let told = 0;
  for (const [at, peer] of peers.entries()) {
    peer.judged = { state: "silent" };
    // All within a minute.
    if (report.update(peers, true, 40_000 + 60 * at)) told++;
  }
  equal(report.update(peers, true, 200_000), true);
  deepEqual([told, report.last.reachable, report.last.unreachable?.length], [2, 0, 16]);
  equal(report.update(peers, true, 300_000), false);
});

Deno.test("ProbeReport tells of one of two nodes at once", () => {
  const report = new ProbeReport();
  const peers = [new Peer("n1", 0), new Peer("n2", 0)];
  report.update(peers, true, 0);
  peers[0]!.judged = { state: "silent" };
  equal(report.update(peers, true, 200), true);
  equal(report.last.unreachable?.[0]?.reason, "Silent");
});

Deno.test("ProbeReport says when news that came too soon can be told, until they are told or over", () => {
  const report = new ProbeReport();
  const peers = [new Peer("n1", 0), new Peer("n2", 0)] as const;
  report.update(peers, true, 0);
  equal(report.heldUntil, undefined);
  peers[0].judged = { state: "reachable" };
  equal(report.update(peers, true, 10), false);
  equal(report.heldUntil, 100);
  equal(report.update(peers, true, 100), true);
  deepEqual([report.heldUntil, report.last.reachable], [undefined, 1]);
  peers[1].judged = { state: "reachable" };
  report.update(peers, true, 110);
  equal(report.heldUntil, 200);
  peers[1].judged = { state: "probing" };
  report.update(peers, true, 120);
  equal(report.heldUntil, undefined);
});
