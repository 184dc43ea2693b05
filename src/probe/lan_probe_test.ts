import { deepEqual, equal, ok } from "node:assert/strict";
import { randomInts } from "../../tests/support/random.ts";
import { formatMac } from "../base/mac.ts";
import { vxlanMac } from "../plan/identity.ts";
import { LanProbe, PEERS_MAX } from "./lan_probe.ts";
import { limitMs } from "./schedule.ts";
import { decodeHello, encodeHello, type Hello, lanKey, padded } from "./hello_codec.ts";
import { probeCounts } from "./probe_report.ts";

const UID = "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";
const MTU = 1426;

/**
 * What becomes of a frame of `size` bytes from one node to another, be it for that one alone: undefined
 * when it is lost.
 */
type Path = (from: string, to: string, size: number, isAlone: boolean) => number | undefined;

const FINE: Path = () => 1;

/** Nodes of one LAN that know no clock but this one, and speak through `path`. */
class Fabric {
  path: Path = FINE;
  now = 0;
  frames = 0;
  /** Of them, those for one node alone. */
  alone = 0;
  readonly probes = new Map<string, LanProbe>();
  /** Nodes whose agents neither send nor hear. */
  readonly dead = new Set<string>();
  readonly #addresses = new Map<string, string>();
  #wire: { at: number; to: string; frame: Uint8Array }[] = [];
  readonly #baseMs: number;
  readonly #isDirect: boolean;

  constructor(
    names: readonly string[],
    { known = true, baseMs = 10_000, isDirect = true } = {},
  ) {
    this.#baseMs = baseMs;
    this.#isDirect = isDirect;
    for (const name of names) this.add(name);
    if (known) this.expectAll();
  }

  add(node: string): LanProbe {
    // An agent that begins anew has other numbers than before.
    const share = (0.5 + 0.1 * this.probes.size) % 1;
    const random = () => share;
    const options = {
      ...{ lanUid: UID, node, isDirect: this.#isDirect, baseMs: this.#baseMs },
      ...{ now: this.now, random },
    };
    const probe = new LanProbe(options, 0);
    this.probes.set(node, probe);
    this.#addresses.set(vxlanMac(UID, node), node);
    return probe;
  }

  expectAll(): void {
    for (const [name, probe] of this.probes) {
      const others = [...this.probes.keys()].filter((other) => other !== name);
      probe.expect(new Set(others), this.now);
    }
  }

  send(from: string, frame: Uint8Array): void {
    this.frames++;
    const destination = formatMac(frame.subarray(0, 6));
    const only = this.#addresses.get(destination);
    if (only !== undefined) this.alone++;
    for (const to of only === undefined ? this.probes.keys() : [only]) {
      const isLost = to === from;
      const delay = isLost ? undefined : this.path(from, to, frame.length, only !== undefined);
      if (delay !== undefined) this.#wire.push({ at: this.now + delay, to, frame });
    }
  }

  /** Lets time pass, in steps of 50 ms; judges every second. */
  run(seconds: number): void {
    const end = this.now + 1_000 * seconds;
    while (this.now < end) {
      this.now += 50;
      const due = this.#wire.filter(({ at }) => at <= this.now).sort((a, b) => a.at - b.at);
      this.#wire = this.#wire.filter(({ at }) => at > this.now);
      for (const { at, to, frame } of due) {
        if (!this.dead.has(to)) this.probes.get(to)?.hear(frame, frame.length, at);
      }
      for (const [name, probe] of this.probes) {
        if (this.dead.has(name)) continue;
        if (probe.dueAt <= this.now) {
          const limit = limitMs(probe.load);
          for (const frame of probe.round(this.now, MTU, limit)) this.send(name, frame);
        }
        if (this.now % 1_000 === 0) probe.judge(this.now);
      }
    }
  }

  /** What a node says of another. */
  state(of: string, other: string): string {
    const peer = this.probes.get(of)?.peers().find(({ node }) => node === other);
    return peer === undefined ? "none" : peer.judged.state;
  }

  mtu(of: string, other: string): number | undefined {
    return this.probes.get(of)?.peers().find(({ node }) => node === other)?.judged.mtu;
  }
}

Deno.test("LanProbe finds its peers reachable within the first quick rounds", () => {
  for (const known of [true, false]) {
    const fabric = new Fabric(["a", "b", "c"], { known });
    fabric.path = (_, to) => to === "c" ? 20 : 3;
    fabric.run(4);
    for (const [one, other] of ["ab", "ac", "ba", "bc", "ca", "cb"]) {
      equal(fabric.state(one!, other!), "reachable", `${one} ${other}`);
    }
    const [, c] = fabric.probes.get("a")!.peers();
    equal(c?.roundTripMs, 23);
    equal(c?.lossPercent, 0);
  }
});

Deno.test("LanProbe says nothing of a peer before three intervals, then that it is silent", () => {
  const fabric = new Fabric(["a", "b"]);
  fabric.dead.add("b");
  fabric.run(8);
  equal(fabric.state("a", "b"), "probing");
  fabric.run(40);
  equal(fabric.state("a", "b"), "silent");
});

Deno.test("LanProbe tells silence, and the direction of it, within four intervals and some", () => {
  const cuts: readonly (readonly [Path, string, string])[] = [
    [() => undefined, "silent", "silent"],
    [(from) => from === "a" ? 1 : undefined, "silent", "oneWay"],
    [(from) => from === "b" ? 1 : undefined, "oneWay", "silent"],
  ];
  for (const [path, ofA, ofB] of cuts) {
    const fabric = new Fabric(["a", "b"]);
    fabric.run(60);
    fabric.path = path;
    fabric.run(20);
    // It may have been chance so far.
    deepEqual([fabric.state("a", "b"), fabric.state("b", "a")], ["reachable", "reachable"]);
    fabric.run(40);
    deepEqual([fabric.state("a", "b"), fabric.state("b", "a")], [ofA, ofB]);
    fabric.path = FINE;
    fabric.run(15);
    deepEqual([fabric.state("a", "b"), fabric.state("b", "a")], ["reachable", "reachable"]);
  }
});

Deno.test("LanProbe never says that a direction is cut when both are, on the way back", () => {
  const fabric = new Fabric(["a", "b"], { baseMs: 1_000 });
  fabric.run(10);
  fabric.path = () => undefined;
  fabric.run(30);
  fabric.path = FINE;
  const seen = new Set<string>();
  for (let turn = 0; turn < 20; turn++) {
    fabric.run(1);
    seen.add(fabric.state("a", "b"));
  }
  deepEqual([...seen], ["silent", "reachable"]);
});

Deno.test("LanProbe finds the MTU of a path within 8 bytes, in few rounds, and when it changes", () => {
  for (const [limit, again] of [[1334, 1280], [1280, 1400], [1000, 1425]] as const) {
    const fabric = new Fabric(["a", "b", "c"]);
    fabric.run(30);
    const upTo = (most: number): Path => (from, to, size) =>
      [from, to].includes("c") && size - 14 > most ? undefined : 1;
    fabric.path = upTo(limit);
    fabric.run(90);
    for (const node of ["a", "b"]) {
      const found = fabric.mtu(node, "c") ?? 0;
      equal(fabric.state(node, "c"), "smallOnly");
      ok(found <= limit && found > limit - 9, `${found} for ${limit}`);
    }
    equal(fabric.state("a", "b"), "reachable");
    fabric.path = upTo(again);
    fabric.run(400);
    const found = fabric.mtu("a", "c") ?? 0;
    ok(found <= again && found > again - 9, `${found} for ${again}`);
    fabric.path = FINE;
    fabric.run(60);
    deepEqual(["b", "c"].map((other) => fabric.state("a", other)), ["reachable", "reachable"]);
  }
});

Deno.test("LanProbe takes no round for lost because the next ones are quick", () => {
  const fabric = new Fabric(["a", "b"]);
  fabric.run(4);
  const seen = new Set<string>();
  for (const most of [9_000, 1_334, 9_000, 1_334]) {
    fabric.path = (_, __, size) => size - 14 > most ? undefined : 1;
    for (let turn = 0; turn < 120; turn++) {
      fabric.run(1);
      for (const way of ["ab", "ba"]) seen.add(fabric.state(way[0]!, way[1]!));
    }
  }
  deepEqual([...seen].sort(), ["reachable", "smallOnly"]);
});

Deno.test("LanProbe is not troubled by frames lost now and then, and counts them", () => {
  const fabric = new Fabric(["a", "b"], { baseMs: 1_000 });
  let count = 0;
  fabric.path = (from) => from === "a" && ++count % 5 === 0 ? undefined : 1;
  const seen = new Set<string>();
  fabric.run(10);
  for (let turn = 0; turn < 120; turn++) {
    fabric.run(1);
    seen.add(fabric.state("b", "a"));
  }
  deepEqual([...seen], ["reachable"]);
  const loss = fabric.probes.get("b")!.peers()[0]!.lossPercent;
  ok(loss > 10 && loss < 30, `${loss}`);
});

Deno.test("LanProbe does not take three frames of full size that are lost by chance for an MTU", () => {
  const fabric = new Fabric(["a", "b"], { baseMs: 1_000 });
  const random = randomInts(3);
  fabric.path = (from) => from === "a" && random(100) < 20 ? undefined : 1;
  fabric.run(10);
  const seen = new Set<string>();
  for (let turn = 0; turn < 1_000; turn++) {
    fabric.run(1);
    for (const way of ["ab", "ba"]) seen.add(fabric.state(way[0]!, way[1]!));
  }
  deepEqual([...seen], ["reachable"]);
});

/** Frames for one node alone get nowhere, if they are for one of `nodes`. */
function aloneBlocked(...nodes: readonly string[]): Path {
  return (_, to, __, isAlone) => isAlone && nodes.includes(to) ? undefined : 1;
}

Deno.test("LanProbe tells of a node that only frames for all reach, until others do", () => {
  const fabric = new Fabric(["a", "b", "c"]);
  fabric.run(60);
  fabric.path = aloneBlocked("b");
  // A turn, and six rounds.
  fabric.run(155);
  const states = () => ["ab", "cb", "ba", "ac"].map((way) => fabric.state(way[0]!, way[1]!));
  deepEqual(states(), ["groupOnly", "groupOnly", "reachable", "reachable"]);
  fabric.path = FINE;
  fabric.run(40);
  deepEqual(states(), ["reachable", "reachable", "reachable", "reachable"]);
});

Deno.test("LanProbe calls no node reachable that only frames for all ever reached", () => {
  const fabric = new Fabric(["a", "b"]);
  fabric.path = aloneBlocked("b");
  const seen = new Set<string>();
  for (let turn = 0; turn < 80; turn++) {
    fabric.run(1);
    seen.add(fabric.state("a", "b"));
  }
  deepEqual([...seen], ["probing", "groupOnly"]);
  equal(fabric.state("b", "a"), "reachable");
});

Deno.test("LanProbe tells silence where frames for one node alone arrive, and no others", () => {
  const fabric = new Fabric(["a", "b"]);
  fabric.run(60);
  fabric.path = (_, __, ___, isAlone) => isAlone ? 1 : undefined;
  fabric.run(60);
  deepEqual([fabric.state("a", "b"), fabric.state("b", "a")], ["silent", "silent"]);
});

Deno.test("LanProbe tries small frames for one node alone where no full ones get through", () => {
  const fabric = new Fabric(["a", "b"]);
  const small: Path = (_, __, size) => size - 14 > 1_334 ? undefined : 1;
  fabric.run(60);
  fabric.path = small;
  fabric.run(200);
  equal(fabric.state("a", "b"), "smallOnly");
  const blocked = aloneBlocked("b");
  fabric.path = (...frame) => small(...frame) && blocked(...frame);
  fabric.run(200);
  equal(fabric.state("a", "b"), "groupOnly");
  fabric.path = small;
  fabric.run(60);
  equal(fabric.state("a", "b"), "smallOnly");
});

Deno.test("LanProbe sends nobody frames for it alone who does not tell what became of them", () => {
  const fabric = new Fabric(["a", "b"]);
  const older = new Set<string>();
  const send = fabric.send.bind(fabric);
  // As agents of an older version say it.
  fabric.send = (from, frame) => {
    const hello = decodeHello(frame, lanKey(UID))!;
    const [destination = "", source = ""] = [0, 6].map((at) =>
      formatMac(frame.subarray(at, at + 6))
    );
    const addresses = { destination, source };
    send(
      from,
      older.has(from)
        ? padded(
          encodeHello({ ...hello, tellsDirect: false }, lanKey(UID), addresses),
          frame.length - 14,
        )
        : frame,
    );
  };
  older.add("b");
  fabric.path = aloneBlocked("a", "b");
  fabric.run(120);
  deepEqual([fabric.state("a", "b"), fabric.state("b", "a")], ["reachable", "groupOnly"]);
});

Deno.test("LanProbe sends frames for one node alone in one round of eight, or none", () => {
  for (const isDirect of [true, false]) {
    const fabric = new Fabric(["a", "b"], { isDirect });
    fabric.run(100);
    [fabric.frames, fabric.alone] = [0, 0];
    fabric.run(800);
    const rounds = (fabric.frames - fabric.alone) / 2;
    ok(rounds > 150 && rounds < 190, `${rounds}`);
    const expected = isDirect ? rounds / 8 : 0;
    ok(Math.abs(fabric.alone - expected) < 4, `${fabric.alone} of ${rounds}`);
  }
});

Deno.test("LanProbe gives each of many its turn, though some are never reached", () => {
  const names = Array.from({ length: 20 }, (_, at) => `node${at}`);
  const fabric = new Fabric(names);
  fabric.run(60);
  fabric.path = aloneBlocked("node1", "node2", "node3");
  fabric.run(400);
  fabric.path = aloneBlocked("node1", "node2", "node3", "node19");
  fabric.run(400);
  const states = names.slice(1).map((name) => fabric.state("node0", name));
  deepEqual(states.map((state) => state === "groupOnly" ? 1 : 0), [
    ...[1, 1, 1],
    ...Array(15).fill(0),
    1,
  ]);
});

Deno.test("LanProbe sends none for one node alone while VXLANs may not know where it is", () => {
  const fabric = new Fabric(["a", "b"]);
  fabric.run(60);
  const a = fabric.probes.get("a")!;
  const alone = () => {
    const before = fabric.alone;
    fabric.send("a", a.round(fabric.now, MTU, 0)[0]!);
    return fabric.alone - before;
  };
  fabric.path = aloneBlocked("b");
  fabric.run(200);
  equal(alone(), 1);
  fabric.run(20);
  a.learnsAnew(fabric.now);
  equal(alone(), 0);
});

Deno.test("LanProbe forgets who leaves, and takes who stops for stopped", () => {
  const fabric = new Fabric(["a", "b", "c"], { known: false });
  fabric.run(10);
  for (const [node, state] of [["b", "leaving"], ["c", "pausing"]] as const) {
    fabric.send(node, fabric.probes.get(node)!.farewell(state, fabric.now));
    fabric.dead.add(node);
  }
  fabric.run(60);
  deepEqual([fabric.state("a", "b"), fabric.state("a", "c")], ["none", "paused"]);
  fabric.dead.clear();
  fabric.add("c");
  fabric.run(10);
  equal(fabric.state("a", "c"), "reachable");
});

Deno.test("LanProbe expects who is expected, and nobody else", () => {
  const fabric = new Fabric(["a", "b", "c"]);
  const a = fabric.probes.get("a")!;
  a.expect(new Set(["b"]), fabric.now);
  fabric.run(10);
  deepEqual(a.peers().map(({ node }) => node), ["b"]);
  equal(a.expect(new Set(["b"]), fabric.now), false);
  equal(a.expect(new Set(["b", "c"]), fabric.now), true);
  deepEqual(a.peers().map(({ node }) => node), ["b", "c"]);
  a.expect(new Set(), fabric.now);
  equal(a.dueAt, Infinity);
  equal(probeCounts(a.peers(), a.isKnown(fabric.now)).state, "Known");
});

Deno.test("LanProbe keeps to its rates with 120 nodes, all of which find each other", () => {
  const names = Array.from({ length: 120 }, (_, at) => `node${at}`);
  const fabric = new Fabric(names);
  fabric.run(180);
  for (const name of names) {
    const states = new Set(fabric.probes.get(name)!.peers().map(({ judged }) => judged.state));
    deepEqual([...states], ["reachable"]);
  }
  [fabric.frames, fabric.alone] = [0, 0];
  fabric.run(60);
  const received = 119 * (fabric.frames - fabric.alone) + fabric.alone;
  const perNode = received / names.length / 60;
  ok(perNode < 25, `${perNode} frames a second arrive`);
});

Deno.test("LanProbe remembers no more nodes than it has room for, whoever makes them up", () => {
  const probe = new LanProbe(
    { lanUid: UID, node: "a", isDirect: true, baseMs: 10_000, now: 0, random: () => 0 },
    0,
  );
  const addresses = { source: "02:00:00:00:00:01", destination: "02:00:00:00:00:02" };
  const hello: Hello = {
    ...{ node: "", state: "running", mtu: MTU, seq: 1, intervalMs: 10_000, limitMs: 0, peers: 0 },
    ...{ echoes: [], tellsDirect: true },
  };
  for (let at = 0; at < PEERS_MAX + 100; at++) {
    const frame = encodeHello({ ...hello, node: `n${at}` }, lanKey(UID), addresses);
    probe.hear(frame, frame.length, at);
  }
  equal(probe.peerCount, PEERS_MAX);
  probe.judge(10_000_000);
  equal(probe.peerCount, 0);
});

Deno.test("judgeAt() is never where there is nobody, and every quarter of an interval elsewhere", () => {
  const options = {
    ...{ lanUid: UID, node: "a", isDirect: true, baseMs: 60_000, now: 0, random: () => 0.5 },
  };
  const probe = new LanProbe(options, 0);
  ok(probe.judgeAt(0) <= 15_000, "nobody knows who is there");
  probe.expect(new Set(), 0);
  equal(probe.judgeAt(0), Infinity);
  probe.expect(new Set(["b"]), 0);
  ok(probe.judgeAt(0) > 10_000 && probe.judgeAt(0) <= 15_000);
});
