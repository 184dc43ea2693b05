/** One LAN as one node probes it: what to send when, and how things are with each peer. Pure. */

import { parseMac } from "../base/mac.ts";
import { bridgeMac, vxlanMac } from "../plan/identity.ts";
import {
  decodeHello,
  ECHOES_MAX,
  encodeHello,
  type Hello,
  type LanKey,
  lanKey,
  nodeId,
  padded,
  SEQ_MASK,
} from "./hello_codec.ts";
import { narrowed, nextSize } from "./mtu_search.ts";
import { type Judgement, Peer, type Self } from "./peer.ts";
import {
  DIRECT_ROUNDS,
  directMax,
  dueAt,
  FRAMES_PER_ROUND,
  intervalMs,
  type Load,
  QUICK_ROUNDS,
} from "./schedule.ts";

/** Between two judgements without news. Milliseconds. */
const JUDGE_LEAST_MS = 5_000;
const JUDGE_MOST_MS = 30_000;

export interface LanProbeOptions {
  readonly lanUid: string;
  readonly node: string;
  /** Whether each peer gets frames for it alone too: where those for all go another way. */
  readonly isDirect: boolean;
  /** Between rounds when all is well. Milliseconds. */
  readonly baseMs: number;
  /** Milliseconds; any clock that never goes backwards. */
  readonly now: number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** More are not remembered. */
export const PEERS_MAX = 2_048;
/** Of them, those that were heard and not expected. */
const STRANGERS_MAX = 256;
/** Rounds of which it is known when they were sent. */
const ROUNDS_KEPT = 64;
/** A peer that nobody expects is forgotten when it was not heard for so long. Milliseconds. */
const FORGOTTEN_MS = 600_000;

export class LanProbe {
  readonly #options: LanProbeOptions;
  readonly #id: number;
  readonly #key: LanKey;
  /** To which only frames for this node alone go. */
  readonly #address: Uint8Array;
  readonly #since: number;
  readonly #peers = new Map<string, Peer>();
  #expected: ReadonlySet<string> | undefined;
  #seq: number;
  /** When the rounds were sent, and the size that was tried beside the usual two. */
  readonly #rounds = new Map<number, { readonly at: number; readonly tried: number | undefined }>();
  #intervalMs: number;
  #quick = QUICK_ROUNDS;
  #dueAt: number;
  /** Whose turn it is to be echoed. */
  #turn = 0;
  #mtu = 0;
  /** Since when the VXLAN learns where addresses are. */
  #learnsSince = -Infinity;

  /** `startMs`: how long the first round has to wait, for others are to be sent as well. */
  constructor(options: LanProbeOptions, startMs: number) {
    const { lanUid, node, now, random, baseMs } = options;
    this.#options = options;
    this.#id = nodeId(node);
    this.#key = lanKey(lanUid);
    this.#address = parseMac(vxlanMac(lanUid, node));
    this.#since = now;
    this.#seq = Math.floor(random() * SEQ_MASK);
    this.#intervalMs = baseMs;
    this.#dueAt = now + random() * startMs;
  }

  get key(): LanKey {
    return this.#key;
  }

  /** When the next round is to be sent; never, when there is nobody who could hear it. */
  get dueAt(): number {
    return this.#expected?.size === 0 ? Infinity : this.#dueAt;
  }

  /** From one round to the next. Milliseconds. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /**
   * When it is to be judged after `now`, unless there is news before: each quarter of an interval; never
   * where there is nobody, since only news can change that, and looks at many LANs add up.
   */
  judgeAt(now: number): number {
    if (!this.isSending && this.peerCount === 0) return Infinity;
    const pauseMs = Math.max(JUDGE_LEAST_MS, this.#intervalMs / 4);
    return dueAt(now, Math.min(pauseMs, JUDGE_MOST_MS));
  }

  /** How many nodes are sent to. */
  get peerCount(): number {
    return Math.max(this.#expected?.size ?? 0, this.#peers.size);
  }

  /** What it costs. */
  get load(): Load {
    const peers = this.peerCount;
    return { lans: 1, peers, direct: this.#options.isDirect ? peers : 0 };
  }

  /** The VXLAN may be another one, which knows no address of before. */
  learnsAnew(now: number): void {
    this.#learnsSince = now;
  }

  /** Whether the LAN is expected on other nodes or, where nobody knows, may be. */
  get isSending(): boolean {
    return this.#expected?.size !== 0;
  }

  /**
   * On which other nodes the LAN is in use; undefined when nobody knows, so that whoever is heard
   * counts. Returns whether anything is new.
   */
  expect(nodes: ReadonlySet<string> | undefined, now: number): boolean {
    const before = this.#expected;
    if (before === nodes) return false;
    const added = [...nodes ?? []].filter((node) => before?.has(node) !== true);
    if (before !== undefined && nodes?.size === before.size && added.length === 0) return false;
    this.#expected = nodes;
    for (const node of added) if (!this.#peers.get(node)?.isHeard) this.#peer(node, now, true);
    for (const [node, { isHeard }] of this.#peers) {
      if (!isHeard && nodes?.has(node) !== true) this.#peers.delete(node);
    }
    if (added.length > 0) this.#hurry(now);
    return true;
  }

  /** Something is new: a few rounds soon, as far as the limits allow. */
  #hurry(now: number): void {
    this.#quick = QUICK_ROUNDS;
    const soonMs = Math.min(1_000, this.#options.baseMs, this.#intervalMs);
    // Of many nodes that see the same at once not all are to speak at once.
    this.#dueAt = Math.min(this.#dueAt, now + soonMs * this.#options.random());
  }

  #peer(node: string, now: number, isExpected: boolean): Peer | undefined {
    const known = this.#peers.get(node);
    if (known !== undefined) return known;
    const most = isExpected || this.#expected === undefined
      ? PEERS_MAX
      : Math.min(PEERS_MAX, this.#expected.size + STRANGERS_MAX);
    if (this.#peers.size >= most) return undefined;
    const peer = new Peer(node, now);
    this.#peers.set(node, peer);
    return peer;
  }

  get #self(): Self {
    return {
      id: this.#id,
      intervalMs: this.#intervalMs,
      mtu: this.#mtu,
      isDirect: this.#options.isDirect,
      since: this.#since,
      sentAt: (seq) => this.#rounds.get(seq & SEQ_MASK)?.at,
    };
  }

  /**
   * Takes a frame of `length` bytes, of which `frame` is the beginning. Returns whether it may have
   * changed how things are; undefined for one that is no hello of this LAN.
   */
  hear(frame: Uint8Array, length: number, now: number): boolean | undefined {
    const hello = decodeHello(frame, this.#key);
    if (hello === undefined || hello.node === this.#options.node) return undefined;
    if (hello.state === "leaving") {
      return this.#expected?.has(hello.node) !== true && this.#peers.delete(hello.node);
    }
    if (this.#address.every((byte, at) => frame[at] === byte)) {
      this.#peers.get(hello.node)?.hearDirect(hello);
      return false;
    }
    const peer = this.#peer(hello.node, now, this.#expected?.has(hello.node) === true);
    if (peer === undefined) return false;
    const isNew = !peer.isHeard;
    const heardSeq = peer.echoed?.seq;
    const { direct } = peer;
    peer.hear(hello, length - 14, this.#self, now);
    const { echoed } = peer;
    if (echoed !== undefined && echoed.seq !== heardSeq) {
      const tried = this.#rounds.get(echoed.seq)?.tried;
      peer.search = narrowed(peer.search, this.#mtu, echoed.mtu, tried);
    }
    const isBack = peer.direct !== direct;
    if (isNew || isBack || peer.judged.state === "silent") this.#hurry(now);
    return isNew || peer.judged.state !== "reachable" || hello.state !== "running";
  }

  /**
   * The frames of a round, to be sent in this order now: the small one for all last, so that whoever
   * echoes it has had all of them. `mtu` is the LAN's here, `limitMs` this node's shortest interval.
   */
  round(now: number, mtu: number, limitMs: number): Uint8Array<ArrayBuffer>[] {
    this.#mtu = mtu;
    this.#seq = (this.#seq + 1) & SEQ_MASK;
    const bounds = [...this.#peers.values()].flatMap(({ search }) => search ?? []);
    const tried = nextSize(bounds, this.#seq);
    this.#rounds.set(this.#seq, { at: now, tried });
    this.#rounds.delete((this.#seq - ROUNDS_KEPT) & SEQ_MASK);
    const waiting = this.#dueAlone(now);
    const most = directMax(this.peerCount);
    const alone = waiting.splice(0, most);
    // They come more often than in their turn, which the limit reckons with.
    const isMore = alone.some(({ direct }) => direct.isDoubtful);
    const more = isMore ? Math.max(0, most - this.peerCount / DIRECT_ROUNDS) : 0;
    this.#intervalMs = intervalMs({
      baseMs: this.#options.baseMs,
      limitMs,
      askedMs: this.#peers.values().reduce((most, peer) => Math.max(most, peer.limitMs), 0),
      isQuick: this.#quick > 0 || waiting[0]?.direct.isUntried === true,
      frames: FRAMES_PER_ROUND + (tried === undefined ? 0 : 1) + more,
    });
    if (this.#quick > 0) this.#quick--;
    this.#dueAt = dueAt(now, this.#intervalMs);
    const hello = this.#hello("running", now, limitMs);
    const small = encodeHello(hello, this.#key, this.#addresses());
    const larger = [mtu, ...(tried === undefined ? [] : [tried])];
    const direct = alone.map((peer) => this.#directFrame(peer, hello, now));
    return [...direct, ...larger.map((size) => padded(small, size)), small];
  }

  /** Peers that a frame for it alone is due to, the most urgent first. */
  #dueAlone(now: number): Peer[] {
    if (!this.#options.isDirect) return [];
    const urgencies = this.peers()
      .filter((peer) => peer.isLearned(this.#learnsSince, now))
      .map((peer) => ({ peer, urgency: peer.direct.urgency(this.#seq) }))
      .filter(({ urgency }) => urgency >= DIRECT_ROUNDS);
    urgencies.sort((one, other) => one.urgency < other.urgency ? 1 : -1);
    return urgencies.map(({ peer }) => peer);
  }

  /** The round's hello for `peer` alone: of full size, unless nothing of that size gets there. */
  #directFrame(peer: Peer, hello: Hello, at: number): Uint8Array<ArrayBuffer> {
    const isFull = peer.search === undefined;
    peer.direct.tried({ seq: hello.seq, at, isFull });
    const destination = vxlanMac(this.#options.lanUid, peer.node);
    const frame = encodeHello(
      { ...hello, echoes: [] },
      this.#key,
      { ...this.#addresses(), destination },
    );
    return isFull ? padded(frame, hello.mtu) : frame;
  }

  /** The last frame: the agent stops (`pausing`), or nothing is attached here any more. */
  farewell(state: "pausing" | "leaving", now: number): Uint8Array<ArrayBuffer> {
    this.#seq = (this.#seq + 1) & SEQ_MASK;
    return encodeHello(this.#hello(state, now, 0), this.#key, this.#addresses());
  }

  #addresses() {
    const { lanUid, node } = this.#options;
    return { source: vxlanMac(lanUid, node), destination: bridgeMac(lanUid) };
  }

  #hello(state: Hello["state"], now: number, limitMs: number): Hello {
    const { node } = this.#options;
    const heard = [...this.#peers.values()].filter(({ isHeard }) => isHeard);
    const count = Math.min(ECHOES_MAX, heard.length);
    const echoes = Array.from({ length: count }, (_, at) => {
      return heard[(this.#turn + at) % heard.length]!.echo(now) ?? [];
    }).flat();
    this.#turn = heard.length === 0 ? 0 : (this.#turn + count) % heard.length;
    return {
      ...{ node, state, mtu: this.#mtu || 1, seq: this.#seq, intervalMs: this.#intervalMs },
      ...{ limitMs, peers: heard.length, echoes, tellsDirect: this.#options.isDirect },
    };
  }

  /** Judges all peers anew; returns whether any of them is another way now. */
  judge(now: number): boolean {
    let isNews = false;
    const self = this.#self;
    for (const [node, peer] of this.#peers) {
      if (this.#isForgotten(peer, now)) {
        this.#peers.delete(node);
        isNews = true;
        continue;
      }
      const next = this.#settled(peer, peer.judge(self, now), now);
      if (next.state === peer.judged.state && next.mtu === peer.judged.mtu) continue;
      // To find the MTU of the path, or whether all is well again, without long intervals.
      if (next.state === "smallOnly" && peer.judged.state !== "smallOnly") {
        this.#quick = 3 * QUICK_ROUNDS;
      }
      peer.judged = next;
      isNews = true;
    }
    return isNews;
  }

  #isForgotten({ node, heardAt, since }: Peer, now: number): boolean {
    if (this.#expected?.has(node)) return false;
    return now - (heardAt ?? since) > Math.max(FORGOTTEN_MS, 10 * this.#intervalMs);
  }

  /** What went wrong stays so until all has been well for some rounds, or something else is wrong. */
  #settled(peer: Peer, found: Judgement, now: number): Judgement {
    const before = peer.judged;
    const wasBad = before.state !== "probing" && before.state !== "reachable";
    if (!wasBad) return found;
    if (found.state === "probing") return before;
    if (found.state !== "reachable") {
      peer.betterSince = undefined;
      return found;
    }
    if (before.state !== "paused") {
      if (peer.betterSince === undefined) {
        peer.betterSince = now;
        this.#hurry(now);
      }
      const quickMs = Math.min(1_000, this.#options.baseMs);
      if (now - peer.betterSince < 2 * quickMs) return before;
    }
    peer.betterSince = undefined;
    return found;
  }

  /** Those that count, by name: those expected or, where nobody knows, those heard. */
  peers(): readonly Peer[] {
    const counted = [...this.#peers.values()].filter(({ node, isHeard }) =>
      this.#expected === undefined ? isHeard : this.#expected.has(node)
    );
    return counted.sort((one, other) => one.node < other.node ? -1 : 1);
  }

  /** Whether anybody is known who could be heard, or has been looked for long enough. */
  isKnown(now: number): boolean {
    if (this.#expected !== undefined) return true;
    return this.#peers.size > 0 || now - this.#since > 3 * this.#options.baseMs;
  }
}
