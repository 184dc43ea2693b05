/** How often an agent says hello: pure. The figures stand in docs/connectivity.md too. */

/** A small frame and one of full size. */
export const FRAMES_PER_ROUND = 2;
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
}

/** The shortest interval that keeps to both rates. Milliseconds. */
export function limitMs({ lans, peers }: Load): number {
  const toSend = lans * FRAMES_PER_ROUND / SENT_PER_SECOND;
  const toReceive = peers * FRAMES_PER_ROUND / RECEIVED_PER_SECOND;
  return 1_000 * Math.max(toSend, toReceive);
}

export interface Pace {
  /** As configured. Milliseconds. */
  readonly baseMs: number;
  /** Of this node. */
  readonly limitMs: number;
  /** Longest that a peer of the LAN asks for: it may be in more LANs than this node. */
  readonly askedMs: number;
  readonly isQuick: boolean;
  /** Frames in a round of this LAN. */
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
