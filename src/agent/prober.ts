/** Says hello in every LAN of this node, and hears what the other nodes say. */

import type { Condition, ProbedNodeView, ProbeView } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import type { ProbeOnNode } from "../api/lan_node.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Metric } from "../base/metrics_text.ts";
import { lanName } from "../plan/lan_plan.ts";
import { HEADER_BYTES, HELLO_BYTES_MAX } from "../probe/hello_codec.ts";
import { LanProbe } from "../probe/lan_probe.ts";
import { probeCounts, ProbeReport } from "../probe/probe_report.ts";
import { limitMs, type Load } from "../probe/schedule.ts";
import { PollWait } from "../sys/poll_wait.ts";
import type { Attachments } from "./attachments.ts";
import type { LanRegistry } from "./lan_registry.ts";
import { ProbeLink } from "./probe_link.ts";
import { probeMetrics } from "./probe_metrics.ts";
import type { Probes } from "./probes.ts";

export interface ProberOptions {
  readonly node: string;
  /** Between two rounds in a LAN, when nothing asks for more. Milliseconds. */
  readonly baseMs: number;
  readonly attachments: Pick<Attachments, "lanIds" | "ofLan">;
  readonly registry: Pick<LanRegistry, "accepted">;
  /** The other nodes that the LAN is in use on; undefined when nobody knows. */
  readonly expected: (lanUid: string) => ReadonlySet<string> | undefined;
  /** Called after `report()` of a LAN has become another one. */
  readonly told: () => void;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface ProbedLan {
  readonly lan: Lan;
  readonly probe: LanProbe;
  readonly report: ProbeReport;
  readonly link: ProbeLink;
  judgedAt: number;
  judgeAt: number;
}

/** Frames read in one go, of one LAN and in all: whoever sends more only harms the LAN's probes. */
const READ_MAX = 64;
const READ_ALL_MAX = 256;
/** Frames that come in between are read together. Milliseconds. */
const READ_GAP_MS = 100;
/** News are judged at once, but not more often than that. Milliseconds. */
const JUDGE_GAP_MS = 200;
/** A LAN that was about to go, and is there still. Milliseconds. */
const LEAVING_MS = 5_000;

export class Prober implements Probes {
  readonly #options: ProberOptions;
  readonly #clock: Clock;
  readonly #lans = new Map<string, ProbedLan>();
  readonly #leaving = new Map<string, number>();
  readonly #buffer = new Uint8Array(HELLO_BYTES_MAX);
  readonly #frames = { sent: 0, received: 0, ignored: 0 };
  #poll: PollWait | undefined;
  #isStale = true;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  report(lanId: string): ProbeOnNode | undefined {
    const known = this.#lans.get(lanId);
    if (known === undefined) return undefined;
    return known.link.isForbidden ? { state: "Off", peers: 0, reachable: 0 } : known.report.last;
  }

  view(lanId: string): ProbeView | undefined {
    const known = this.#lans.get(lanId);
    return known === undefined ? undefined : viewOf(known, this.#clock.now());
  }

  metrics(): readonly Metric[] {
    const now = this.#clock.now();
    return probeMetrics(
      this.#frames,
      this.#lans.values().map((known) => [lanName(known.lan), viewOf(known, now)]),
    );
  }

  problems(): readonly Condition[] {
    const isForbidden = this.#lans.values().some(({ link }) => link.isForbidden);
    if (!isForbidden) return [];
    return [{
      reason: "ProbesForbidden",
      message: "Whether other nodes can be reached is not known: the capability CAP_NET_RAW is " +
        "missing; grant it to the agent, or start it with --probe-interval 0",
    }];
  }

  changed(): void {
    if (this.#isStale) return;
    this.#isStale = true;
    this.#poll?.wake();
  }

  /** Sent while it can be: nobody is to wait for a node that takes part no more. */
  leaving(lanId: string): void {
    const known = this.#lans.get(lanId);
    this.#leaving.set(lanId, this.#clock.now());
    if (known === undefined) return;
    if (known.probe.isSending) {
      this.#send(known, [known.probe.farewell("leaving", this.#clock.now())]);
    }
    this.#forget(lanId, known);
  }

  /** An open socket would keep the LAN's namespace alive. */
  #forget(lanId: string, { link }: ProbedLan): void {
    link[Symbol.dispose]();
    this.#lans.delete(lanId);
    this.#poll?.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const poll = new PollWait();
    const wake = () => poll.wake();
    signal.addEventListener("abort", wake);
    this.#poll = poll;
    try {
      let readAt = -Infinity;
      while (!signal.aborted) {
        const next = this.#turn(this.#clock.now());
        const numbers = [...this.#lans.values()].flatMap(({ link }) => link.number ?? []);
        const ready = await poll.wait(numbers, next - this.#clock.now());
        if (ready.length === 0) continue;
        const pauseMs = readAt + READ_GAP_MS - this.#clock.now();
        if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
        readAt = this.#clock.now();
        this.#read(new Set(ready));
      }
      // What is attached stays, and nobody is to think that this node is cut off.
      for (const known of this.#lans.values()) {
        if (known.probe.isSending) {
          this.#send(known, [known.probe.farewell("pausing", this.#clock.now())]);
        }
      }
    } finally {
      signal.removeEventListener("abort", wake);
      this.#poll = undefined;
      for (const { link } of this.#lans.values()) link[Symbol.dispose]();
      poll[Symbol.dispose]();
    }
  }

  /** Does what is due; returns when something is next. */
  #turn(now: number): number {
    if (this.#isStale) this.#takeStock(now);
    const shortestMs = limitMs(this.#load());
    let next = Infinity;
    for (const known of this.#lans.values()) {
      const { probe, link } = known;
      if (probe.dueAt <= now) {
        const mtu = link.open();
        if (link.isFresh) probe.learnsAnew(now);
        this.#send(known, probe.round(now, mtu ?? 0, shortestMs));
        known.judgeAt = now;
      }
      if (known.judgeAt <= now) this.#judge(known, now);
      next = Math.min(next, probe.dueAt, known.judgeAt);
    }
    return next;
  }

  #load(): Load {
    const sending = this.#lans.values().filter(({ probe }) => probe.isSending);
    return sending.reduce((sum, { probe: { load } }): Load => ({
      lans: sum.lans + load.lans,
      peers: sum.peers + load.peers,
      direct: sum.direct + load.direct,
    }), { lans: 0, peers: 0, direct: 0 });
  }

  /** Which LANs are here, and who is expected in them. */
  #takeStock(now: number): void {
    this.#isStale = false;
    const { attachments, registry, node, baseMs, expected, log } = this.#options;
    for (const [lanId, since] of this.#leaving) {
      if (now - since > LEAVING_MS) this.#leaving.delete(lanId);
    }
    const ids = attachments.lanIds();
    const here = new Set(ids.filter((lanId) => !this.#leaving.has(lanId)));
    for (const [lanId, known] of this.#lans) {
      const isThere = here.has(lanId) && registry.accepted(lanId) !== undefined;
      if (!isThere) this.#forget(lanId, known);
    }
    const shortestMs = limitMs({ lans: here.size, peers: 0, direct: 0 });
    for (const lanId of here) {
      const lan = registry.accepted(lanId);
      const path = attachments.ofLan(lanId)[0]?.netnsPath;
      if (lan === undefined || path === undefined) continue;
      let known = this.#lans.get(lanId);
      if (known === undefined) {
        const { uid } = lan.metadata;
        // Elsewhere what is for all goes to each node by itself already.
        const isDirect = lan.spec.underlay === "multicast";
        const options = { lanUid: uid, node, isDirect, baseMs, now, random: Math.random };
        const probe = new LanProbe(options, shortestMs);
        const link = new ProbeLink(lan, path, probe.key.words, log);
        link.open();
        known = { lan, probe, link, report: new ProbeReport(), judgedAt: now, judgeAt: now };
        this.#lans.set(lanId, known);
      }
      if (known.probe.expect(expected(lan.metadata.uid), now)) known.judgeAt = now;
    }
  }

  #send(known: ProbedLan, frames: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const frame of frames) if (known.link.send(frame)) this.#frames.sent++;
  }

  #read(ready: ReadonlySet<number>): void {
    let left = READ_ALL_MAX;
    for (const known of this.#lans.values()) {
      const { link, probe } = known;
      if (link.number === undefined || !ready.has(link.number)) continue;
      for (let count = Math.min(READ_MAX, left); count > 0; count--) {
        const length = link.receive(this.#buffer);
        if (length === undefined) break;
        left--;
        const now = this.#clock.now();
        const isNews = length < HEADER_BYTES
          ? undefined
          : probe.hear(this.#buffer.subarray(0, length), length, now);
        this.#frames[isNews === undefined ? "ignored" : "received"]++;
        if (isNews) known.judgeAt = Math.min(known.judgeAt, known.judgedAt + JUDGE_GAP_MS);
      }
    }
  }

  #judge(known: ProbedLan, now: number): void {
    const { probe, report, lan } = known;
    known.judgedAt = now;
    known.judgeAt = probe.judgeAt(now);
    const isNews = probe.judge(now);
    const peers = probe.peers();
    if (isNews) {
      const states = peers.map(({ node, judged: { state } }) => `${node}: ${state}`);
      const { log } = this.#options;
      log.debug("Probes", { lan: lanName(lan), peers: states.slice(0, 20).join() });
    }
    if (report.update(peers, probe.isKnown(now), now)) this.#options.told();
    known.judgeAt = Math.min(known.judgeAt, report.heldUntil ?? Infinity);
  }
}

/** At `now`, not when it was told last: the counts are those of the nodes beside them. */
function viewOf({ probe, link }: ProbedLan, now: number): ProbeView {
  const peers = probe.peers();
  const { state, peers: count, reachable } = probeCounts(peers, probe.isKnown(now));
  const nodes = peers.slice(0, 1_000).map((peer): ProbedNodeView => {
    const { node, judged, roundTripMs, lossPercent } = peer;
    return {
      ...{ node, state: judged.state, lossPercent: Math.round(lossPercent) },
      ...(judged.state !== "reachable" || roundTripMs === undefined
        ? {}
        : { roundTripMs: Math.round(1_000 * roundTripMs) / 1_000 }),
      ...(judged.mtu === undefined ? {} : { mtu: judged.mtu }),
    };
  });
  const trips = nodes.flatMap(({ roundTripMs }) => roundTripMs ?? []);
  const sizes = nodes.flatMap(({ mtu, state }) =>
    mtu ?? (state === "reachable" ? link.mtu ?? [] : [])
  );
  return {
    ...{ state: link.isForbidden ? "Off" : state, peers: count, reachable, nodes },
    ...(trips.length === 0 ? {} : { roundTripMs: Math.max(...trips) }),
    ...(sizes.length === 0 ? {} : { mtu: Math.min(...sizes) }),
  };
}
