/** What a node knows of another one in a LAN: from what it hears of it, and what it is echoed. */

import type { ProbedNodeView } from "../api/agent_protocol.ts";
import { DirectPath } from "./direct_path.ts";
import { type Echo, ECHOES_MAX, type Hello, NO_DIRECT, nodeId } from "./hello_codec.ts";
import type { MtuBounds } from "./mtu_search.ts";

/**
 * `probing`: too early to tell; `paused`: its agent said that it stops; `silent`: nothing is heard of
 * it; `oneWay`: it is heard, but hears nothing; `groupOnly`: it gets what is for all, and not what is
 * for it alone; `smallOnly`: frames of full size do not arrive.
 */
export type PeerState = ProbedNodeView["state"];

export interface Judgement {
  readonly state: PeerState;
  /** Largest frame that arrives both ways, as MTU, where that is less than it should be. */
  readonly mtu?: number;
}

/** What a peer is judged by, of this node. */
export interface Self {
  /** `nodeId()` of it. */
  readonly id: number;
  /** Between its own rounds. Milliseconds. */
  readonly intervalMs: number;
  readonly mtu: number;
  /** Whether it sends frames to one peer alone. */
  readonly isDirect: boolean;
  /** When it sent a round; undefined when that is long ago or never was. */
  readonly sentAt: (seq: number) => number | undefined;
  /** Since when it has sent at all. */
  readonly since: number;
}

/** Intervals without a sign until a peer counts as lost. */
const INTERVALS_MISSED = 3;
/** Agents are late now and then, on a busy machine. Milliseconds. */
const SLACK_MS = 5_000;
/** Rounds in which no frame of full size came until that counts; and where small ones get lost too. */
const ROUNDS_MISSED = 3;
const ROUNDS_MISSED_LOSSY = 6;
/** Rounds that are remembered: one bit each, and for sizes only the newest. */
const ROUNDS_COUNTED = 32;
const SIZES_KEPT = 12;
const ROUND_TRIPS_KEPT = 8;
const ROUND_TRIP_MAX_MS = 60_000;
/** VXLANs forget where an address is when they heard nothing for 300 s. Milliseconds. */
const LEARNED_MS = 240_000;
/** Longer than any update of an agent takes. */
const PAUSE_MAX_MS = 600_000;

export class Peer {
  readonly node: string;
  readonly id: number;
  /** Since when it is waited for, heard or not. */
  readonly since: number;
  /** Of frames that this node sends to it; see `mtu_search.ts`. */
  search: MtuBounds | undefined;
  /** What it was judged last, for whoever keeps it. */
  judged: Judgement = { state: "probing" };
  /** Since when it has been judged well again, after it was not. */
  betterSince: number | undefined;
  #direct = new DirectPath();
  /** Round of the last direct frame that came of it. */
  #directSeq: number | undefined;
  #last: Hello | undefined;
  #firstHeardAt = 0;
  #heardAt = 0;
  /** Bit n: its small frame came in the n-th round before the last one. */
  #small = 0;
  #rounds = 0;
  /** Largest frame of each round, the last one first, as MTU. */
  #sizes: number[] = [];
  #echo: Pick<Echo, "seq" | "mtu"> | undefined;
  #echoSentAt: number | undefined;
  #roundTrips: number[] = [];

  constructor(node: string, now: number) {
    this.node = node;
    this.id = nodeId(node);
    this.since = now;
  }

  get isHeard(): boolean {
    return this.#last !== undefined;
  }

  get heardAt(): number | undefined {
    return this.#last === undefined ? undefined : this.#heardAt;
  }

  /** Of frames that this node sends to it alone: another one since it was heard again. */
  get direct(): DirectPath {
    return this.#direct;
  }

  /** Whether it tells of those, and says hello often enough for VXLANs to know where it is. */
  get #takesDirect(): boolean {
    const { tellsDirect, intervalMs = 0 } = this.#last ?? {};
    return tellsDirect === true && 1.25 * intervalMs <= LEARNED_MS;
  }

  /** Whether a frame for it alone goes straight to it: what is for unknown addresses goes to all. */
  isLearned(since: number, now: number): boolean {
    const { state } = this.#last ?? {};
    const isRecent = this.#heardAt >= since && now - this.#heardAt < LEARNED_MS;
    return state === "running" && this.#takesDirect && isRecent && !this.#isSilent(now);
  }

  /** What it asks others to keep to. Milliseconds. */
  get limitMs(): number {
    return this.#last?.limitMs ?? 0;
  }

  /** A frame of it for this node alone came: of what is for all it says nothing. */
  hearDirect({ seq }: Hello): void {
    this.#directSeq = seq;
  }

  /** One frame of it for all came, with `mtu` bytes behind its Ethernet header. */
  hear(hello: Hello, mtu: number, self: Self, now: number): void {
    const step = this.#last === undefined ? undefined : (hello.seq - this.#last.seq) | 0;
    // Late frames of the round before say nothing new.
    if (step !== undefined && step < 0 && step > -SIZES_KEPT) return;
    const isSmall = mtu < hello.mtu;
    const isLost = step === undefined || this.#isSilent(now);
    if (isLost) this.#direct = new DirectPath();
    if (isLost || step < 0 || step > 1_000) {
      this.#begin(mtu, now);
    } else if (step === 0) this.#sizes[0] = Math.max(this.#sizes[0] ?? 0, mtu);
    else this.#advance(step, mtu);
    if (isSmall) this.#small = (this.#small | 1) >>> 0;
    this.#last = hello;
    this.#heardAt = now;
    const echo = hello.echoes.find(({ peer }) => peer === self.id);
    if (echo !== undefined) this.#takeEcho(echo, self, now);
  }

  /** The first frame, be it after a long silence or of an agent that began anew. */
  #begin(mtu: number, now: number): void {
    this.#firstHeardAt = now;
    this.#small = 0;
    this.#rounds = 1;
    this.#sizes = [mtu];
    this.#echo = undefined;
    this.#echoSentAt = undefined;
    this.#direct.asksAnew();
    this.#directSeq = undefined;
  }

  #advance(step: number, mtu: number): void {
    this.#small = step >= ROUNDS_COUNTED ? 0 : (this.#small << step) >>> 0;
    this.#rounds = Math.min(this.#rounds + step, ROUNDS_COUNTED);
    // Of a round that did not come at all nothing is known about sizes.
    this.#sizes = [mtu, ...this.#sizes].slice(0, SIZES_KEPT);
  }

  #takeEcho({ seq, heldUs, mtu, sinceDirect }: Echo, self: Self, now: number): void {
    const at = self.sentAt(seq);
    if (at === undefined) return;
    const directAt = sinceDirect === NO_DIRECT ? undefined : self.sentAt(seq - sinceDirect);
    this.#direct.answered({ roundAt: at, directAt, isFull: mtu >= self.mtu });
    this.#echo = { seq, mtu };
    this.#echoSentAt = at;
    const roundTrip = now - at - heldUs / 1_000;
    if (roundTrip < 0 || roundTrip > ROUND_TRIP_MAX_MS) return;
    this.#roundTrips = [roundTrip, ...this.#roundTrips].slice(0, ROUND_TRIPS_KEPT);
  }

  /** What it says of this node's frames: the round it heard last, and the largest that arrives. */
  get echoed(): Pick<Echo, "seq" | "mtu"> | undefined {
    return this.#echo;
  }

  /** What this node says to it; undefined when it has not been heard for long. */
  echo(now: number): Echo | undefined {
    if (this.#last === undefined || this.#isSilent(now)) return undefined;
    const heldUs = 1_000 * (now - this.#heardAt);
    const { seq } = this.#last;
    // A direct frame may overtake those for all.
    const rounds = this.#directSeq === undefined ? NO_DIRECT : Math.max(0, seq - this.#directSeq);
    const sinceDirect = Math.min(rounds, NO_DIRECT);
    return { peer: this.id, seq, heldUs, mtu: this.#arriving() ?? 0, sinceDirect };
  }

  /** Largest of its frames that arrive, as MTU; undefined while that cannot be told. */
  #arriving(): number | undefined {
    const full = this.#last?.mtu ?? 0;
    const rounds = this.lossPercent === 0 ? ROUNDS_MISSED : ROUNDS_MISSED_LOSSY;
    if (this.#sizes.slice(0, rounds).some((size) => size >= full)) return full;
    if (this.#sizes.length < rounds) return undefined;
    return Math.max(...this.#sizes.filter((size) => size < full));
  }

  #isSilent(now: number): boolean {
    const { intervalMs = 0 } = this.#last ?? {};
    return now - this.#heardAt > INTERVALS_MISSED * intervalMs + SLACK_MS;
  }

  /** How things are with it at this moment. */
  judge(self: Self, now: number): Judgement {
    const last = this.#last;
    const since = Math.max(this.since, self.since);
    const patienceMs = INTERVALS_MISSED * self.intervalMs + SLACK_MS;
    if (last === undefined) {
      return { state: now - since > patienceMs ? "silent" : "probing" };
    }
    if (last.state === "pausing" && now - this.#heardAt < PAUSE_MAX_MS) return { state: "paused" };
    if (this.#isSilent(now)) return { state: "silent" };
    // It may have so many peers that this node's turn comes late.
    const turnMs = Math.ceil(last.peers / ECHOES_MAX) * last.intervalMs;
    const waitedMs = this.#echo === undefined
      ? now - Math.max(this.#firstHeardAt, since)
      : this.#unechoedMs(this.#echo.seq, self, now);
    if (waitedMs > patienceMs + turnMs) return { state: "oneWay" };
    if (this.#echo === undefined) return { state: "probing" };
    const direct = self.isDirect && this.#takesDirect ? this.#direct.state : "arrives";
    if (direct === "lost") return { state: "groupOnly" };
    const [from, to] = [this.#arriving(), this.#echo.mtu];
    const isFromFull = from === undefined || from >= last.mtu;
    const isToFull = to === 0 || to >= self.mtu;
    if (!isFromFull || !isToFull) {
      const known = [from ?? last.mtu, to === 0 ? self.mtu : to];
      return { state: "smallOnly", mtu: Math.min(...known) };
    }
    const isOpen = from === undefined || to === 0 || direct === "open";
    return { state: isOpen ? "probing" : "reachable" };
  }

  /**
   * How long it has echoed no round after `seq`. What is not echoed are rounds: where they have just
   * become quick, the one before was sent long ago, and nothing is wrong.
   */
  #unechoedMs(seq: number, { sentAt, intervalMs }: Self, now: number): number {
    const nextAt = sentAt(seq + 1);
    return nextAt === undefined ? now - (this.#echoSentAt ?? now) : now - nextAt + intervalMs;
  }

  /** Share of its small frames that did not come, in percent; the last round may still be coming. */
  get lossPercent(): number {
    const rounds = this.#rounds - 1;
    if (rounds <= 0) return 0;
    const bits = (this.#small >>> 1).toString(2).replaceAll("0", "").length;
    return 100 * (1 - Math.min(bits, rounds) / rounds);
  }

  /** Shortest round trip of the last few: what is longer waited for a processor. Milliseconds. */
  get roundTripMs(): number | undefined {
    return this.#roundTrips.length === 0 ? undefined : Math.min(...this.#roundTrips);
  }
}
