/** How things are in a LAN → what the node tells of it: little, and the same as long as it can be. */

import { NODE_UNREACHABLE_MAX, type ProbeOnNode } from "../api/lan_node.ts";
import type { Judgement, Peer, PeerState } from "./peer.ts";

/** Figures are told in these steps: loss as "at least", round trips as "at most". */
const LOSS_STEPS = [0, 5, 10, 25, 50, 75];
const ROUND_TRIP_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 60_000];
/** Another step is told when it has been another one for so long. Milliseconds. */
const STEADY_MS = 60_000;
/** A figure that is so near its old step stays there: 1.2 of it, or 1 / 1.2. */
const NEAR = 1.2;

/** Between two changes. Milliseconds. */
const GAP_PER_PEER_MS = 50;
const GAP_MAX_MS = 30_000;

const REASONS: Readonly<Partial<Record<PeerState, string>>> = {
  paused: "AgentStopped",
  silent: "Silent",
  oneWay: "OneWay",
  groupOnly: "UnicastBlocked",
  smallOnly: "MtuTooSmall",
};

/** What the peers are judged now, without figures. `isKnown`: that these are the peers. */
export function probeCounts(
  peers: readonly { readonly node: string; readonly judged: Judgement }[],
  isKnown: boolean,
): ProbeOnNode {
  const unreachable = peers.flatMap(({ node, judged: { state, mtu } }) => {
    const reason = REASONS[state];
    return reason === undefined ? [] : [{ node, reason, ...(mtu === undefined ? {} : { mtu }) }];
  });
  const probing = peers.some(({ judged: { state } }) => state === "probing");
  return {
    state: probing || !isKnown ? "Probing" : "Known",
    peers: peers.length,
    reachable: peers.filter(({ judged: { state } }) => state === "reachable").length,
    ...(unreachable.length === 0
      ? {}
      : { unreachable: unreachable.slice(0, NODE_UNREACHABLE_MAX) }),
  };
}

/** A figure in steps, one of which stays until another has lasted. */
export class SteadyStep {
  readonly #step: (value: number) => number;
  #told: number | undefined;
  #otherSince: number | undefined;

  /** `step` gives the step that a value belongs to. */
  constructor(step: (value: number) => number) {
    this.#step = step;
  }

  /** The step to be told at `now`, milliseconds; undefined while no value was ever known. */
  tell(value: number | undefined, now: number): number | undefined {
    if (value === undefined) return this.#told;
    const told = this.#told;
    const near = [value / NEAR, value, value * NEAR].map((one) => this.#step(one));
    if (told === undefined) this.#told = near[1];
    else if (near.includes(told)) this.#otherSince = undefined;
    else if (this.#otherSince === undefined) this.#otherSince = now;
    else if (now - this.#otherSince >= STEADY_MS) {
      this.#told = near[1];
      this.#otherSince = undefined;
    }
    return this.#told;
  }
}

export function lossStep(percent: number): number {
  return LOSS_STEPS.findLast((step) => percent >= step) ?? 0;
}

export function roundTripStep(ms: number): number {
  return ROUND_TRIP_STEPS.find((step) => ms <= step) ?? 60_000;
}

/** What a node tells of one LAN. */
export class ProbeReport {
  readonly #loss = new SteadyStep(lossStep);
  readonly #roundTrip = new SteadyStep(roundTripStep);
  #toldAt = -Infinity;
  #last: ProbeOnNode = { state: "Probing", peers: 0, reachable: 0 };
  #heldUntil: number | undefined;

  /** The same as text. */
  #text = JSON.stringify(this.#last);

  get last(): ProbeOnNode {
    return this.#last;
  }

  /** When the last `update` is to be repeated: it had news that came too soon. Milliseconds. */
  get heldUntil(): number | undefined {
    return this.#heldUntil;
  }

  /** Takes in how things are at `now`; returns whether there is anything new to tell. */
  update(peers: readonly Peer[], isKnown: boolean, now: number): boolean {
    const reachable = peers.filter(({ judged: { state } }) => state === "reachable");
    const trips = reachable.flatMap(({ roundTripMs }) => roundTripMs ?? []);
    const loss = this.#loss.tell(greatest(reachable.map(({ lossPercent }) => lossPercent)), now);
    const roundTrip = this.#roundTrip.tell(greatest(trips), now);
    const next: ProbeOnNode = {
      ...probeCounts(peers, isKnown),
      ...(reachable.length === 0 || loss === undefined ? {} : { lossPercent: loss }),
      ...(reachable.length === 0 || roundTrip === undefined ? {} : { roundTripMs: roundTrip }),
    };
    const text = JSON.stringify(next);
    this.#heldUntil = undefined;
    if (text === this.#text) return false;
    // Where very many nodes go at once, each of the others tells of it a few times, not a thousand.
    const soonest = this.#toldAt + Math.min(GAP_PER_PEER_MS * peers.length, GAP_MAX_MS);
    if (now < soonest) {
      this.#heldUntil = soonest;
      return false;
    }
    this.#toldAt = now;
    this.#last = next;
    this.#text = text;
    return true;
  }
}

function greatest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((one, other) => Math.max(one, other));
}
