/** How often an agent says hello: pure. The figures stand in docs/connectivity.md too. */

/** For all: a small frame and one of full size. */
export const FRAMES_PER_ROUND = 2;
/** A peer gets a frame for it alone as often as that. Rounds. */
export const DIRECT_ROUNDS = 8;
/** No more such frames are sent at once: they would not fit into what a socket holds. */
const DIRECT_MAX = 32;
/** What one node sends and receives at most, over all LANs and peers, when all keep to it. */
export const SENT_PER_SECOND = 2;
export const RECEIVED_PER_SECOND = 20;
/** Where nothing else asks for more. Milliseconds. */
export const DEFAULT_INTERVAL_MS = 10_000;
/** Between the first rounds, after something new. */
const QUICK_MS = 1_000;
/** Rounds after something new: enough to be heard, to be echoed and to find a path's MTU. */
export const QUICK_ROUNDS = 6;
/** One peer cannot slow the others down further than that. */
const ASKED_MAX_MS = 600_000;

/** What one node takes part in. */
export interface Load {
  readonly lans: number;
  /** Summed up over the LANs. */
  readonly peers: number;
  /** Those of them that get frames for them alone. */
  readonly direct: number;
}

/** The shortest interval that keeps to both rates. Milliseconds. */
export function limitMs({ lans, peers, direct }: Load): number {
  const toSend = lans * FRAMES_PER_ROUND + direct / DIRECT_ROUNDS;
  // As many come as go.
  const toReceive = peers * FRAMES_PER_ROUND + direct / DIRECT_ROUNDS;
  return 1_000 * Math.max(toSend / SENT_PER_SECOND, toReceive / RECEIVED_PER_SECOND);
}

/** Most direct frames in one round of a LAN with so many peers. */
export function directMax(peers: number): number {
  // One more than whose turn it is: doubtful ones are tried besides.
  return Math.min(Math.floor(peers / DIRECT_ROUNDS) + 1, DIRECT_MAX);
}

export interface Pace {
  /** As configured. Milliseconds. */
  readonly baseMs: number;
  /** Of this node. */
  readonly limitMs: number;
  /** Longest that a peer of the LAN asks for: it may be in more LANs than this node. */
  readonly askedMs: number;
  readonly isQuick: boolean;
  /** Frames in a round of this LAN, but those for one peer alone that `limitMs()` reckons with. */
  readonly frames: number;
}

/** Time from one round in a LAN to the next. Milliseconds. */
export function intervalMs({ baseMs, limitMs, askedMs, isQuick, frames }: Pace): number {
  const wantedMs = isQuick ? Math.min(QUICK_MS, baseMs) : baseMs;
  const boundMs = Math.max(limitMs, Math.min(askedMs, ASKED_MAX_MS));
  return Math.max(wantedMs, boundMs * Math.max(1, frames / FRAMES_PER_ROUND));
}

/**
 * When the next round is due, a little before the interval is over: LANs meet at common moments, so
 * that the agent wakes for many of them at once.
 */
export function dueAt(nowMs: number, intervalMs: number): number {
  const grid = Math.min(intervalMs / 10, 5_000);
  return Math.floor((nowMs + intervalMs) / grid) * grid;
}
