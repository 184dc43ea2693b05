/**
 * What a watcher does next, and when: a pure step from what just ended to what follows. It never ends
 * by itself; there is nothing after which it would not try again.
 */

import { type Backoff, backoffMs } from "../base/backoff.ts";
import { K8slanError } from "../base/errors.ts";
import { KubeError } from "./kube_error.ts";

/** `at` is in milliseconds of the clock that is passed to `step()`. */
export type WatchStep =
  | { readonly do: "list"; readonly at: number; readonly paged: boolean }
  | { readonly do: "watch"; readonly at: number; readonly resourceVersion: string };

export interface WatchState {
  readonly next: WatchStep;
  /** In a row and of one sort; a watch that works ends the row. */
  readonly failures: number;
  /** The sort: whether nobody answered. Absent where nothing has failed yet. */
  readonly unanswered?: boolean;
  /** Watches in a row that ended as soon as they began. */
  readonly shortWatches: number;
  /** When a list was last begun that reached the server. */
  readonly listedAt?: number;
  /** When a list that came was first empty, where objects were known. */
  readonly emptyAt?: number;
}

export type WatchOutcome =
  | {
    readonly kind: "listed";
    readonly beganAt: number;
    readonly resourceVersion: string;
    /** Number of objects in the list, and of those known before it. */
    readonly items: number;
    readonly known: number;
  }
  | { readonly kind: "list-failed"; readonly beganAt: number; readonly error: unknown }
  | {
    readonly kind: "watch-ended";
    readonly beganAt: number;
    /** Of the last event or bookmark. */
    readonly resourceVersion: string;
    /** Number of events and bookmarks. */
    readonly events: number;
    /** Absent when the server ended the watch properly. */
    readonly error?: unknown;
  };

/** Between two lists, however urgent they seem. */
export const LIST_INTERVAL_MS = 5_000;
/** Between the two lists that must be empty before everything counts as deleted. */
export const EMPTY_CONFIRM_MS = 30_000;
/** A watch that ends earlier than this without an event was of no use. */
const SHORT_WATCH_MS = 1_000;
/** So many useless or failed watches in a row, and the version they begin at is doubted. */
const WATCHES_BEFORE_LIST = 3;

/** What costs the server something. */
const REFUSED: Backoff = { firstMs: 1_000, mostMs: 30_000 };
/** Nobody answers: to knock costs little, and everybody waits for the return. */
const UNREACHABLE: Backoff = { firstMs: 500, mostMs: 1_500 };
/** The same once it has lasted for minutes, when a few seconds more are no matter. */
const LONG_UNREACHABLE: Backoff = { firstMs: 500, mostMs: 4_000 };
/** So many failures in a row are some two minutes. */
const LONG_FAILURES = 100;

export function firstWatchState(now: number): WatchState {
  return { next: { do: "list", at: now, paged: true }, failures: 0, shortWatches: 0 };
}

/** The state after `outcome`; `random` (0 to 1) spreads those who failed together. */
export function step(
  state: WatchState,
  outcome: WatchOutcome,
  now: number,
  random: number,
): WatchState {
  switch (outcome.kind) {
    case "listed":
      return afterList(state, outcome, now);
    case "list-failed":
      return afterFailedList(state, outcome, now, random);
    case "watch-ended":
      return afterWatch(state, outcome, now, random);
  }
}

function afterList(
  state: WatchState,
  { beganAt, resourceVersion, items, known }: WatchOutcome & { kind: "listed" },
  now: number,
): WatchState {
  const { failures, unanswered, shortWatches, emptyAt } = state;
  const listed = {
    ...{ failures, shortWatches },
    ...(unanswered === undefined ? {} : { unanswered }),
    // A server that is just back may refuse to watch from the list it gave: that one does not count.
    ...(unanswered === true ? {} : { listedAt: beganAt }),
  };
  if (items === 0 && known > 0) {
    const since = emptyAt ?? now;
    if (beganAt < since + EMPTY_CONFIRM_MS) {
      const next: WatchStep = { do: "list", at: since + EMPTY_CONFIRM_MS, paged: true };
      return { ...listed, next, emptyAt: since };
    }
  }
  return { ...listed, next: { do: "watch", at: now, resourceVersion } };
}

/** Whether an empty list was taken for true: `step()` went on to watch after it. */
export function isBelieved({ next }: WatchState): boolean {
  return next.do === "watch";
}

function afterFailedList(
  state: WatchState,
  { beganAt, error }: WatchOutcome & { kind: "list-failed" },
  now: number,
  random: number,
): WatchState {
  const failed: WatchState = {
    ...state,
    ...failure(state, error),
    ...(isAnswer(error) ? { listedAt: beganAt } : {}),
  };
  // Its pages were collected too slowly for what the server remembers: all at once, then.
  const paged = !(error instanceof KubeError && error.status === 410);
  return { ...failed, next: { do: "list", at: listAt(failed, error, now, random), paged } };
}

function afterWatch(
  state: WatchState,
  { beganAt, resourceVersion, events, error }: WatchOutcome & { kind: "watch-ended" },
  now: number,
  random: number,
): WatchState {
  const worked = events > 0 || now - beganAt >= SHORT_WATCH_MS;
  const watch = { do: "watch", resourceVersion } as const;
  if (error === undefined && worked) {
    const at = Math.max(now, beganAt + SHORT_WATCH_MS); // no spinning, if each tells one event
    const { unanswered: _, ...rest } = state;
    return { ...rest, failures: 0, shortWatches: 0, next: { ...watch, at } };
  }
  // A server that is too busy for a watch must not be asked for a list instead.
  const isBusy = error instanceof KubeError && error.status === 429;
  const ended: WatchState = {
    ...state,
    ...failure(events > 0 ? { failures: 0 } : state, error),
    shortWatches: (events > 0 ? 0 : state.shortWatches) + (isBusy ? 0 : 1),
  };
  const mustList = isVersionDoubtful(error, worked);
  if (mustList || ended.shortWatches >= WATCHES_BEFORE_LIST) {
    const mayHurry = mustList && ended.failures === 1 && isAnswer(error);
    const at = mayHurry ? earliestList(ended, now) : listAt(ended, error, now, random);
    return { ...ended, shortWatches: 0, next: { do: "list", at, paged: true } };
  }
  return { ...ended, next: { ...watch, at: now + waitMs(ended.failures, error, random) } };
}

/**
 * The row of failures with one more. How long nobody answered says nothing about how patient one has
 * to be with a server that is back.
 */
function failure(
  { failures, unanswered }: Pick<WatchState, "failures" | "unanswered">,
  error: unknown,
) {
  const isUnanswered = !isAnswer(error);
  const isSame = unanswered === undefined || unanswered === isUnanswered;
  return { failures: (isSame ? failures : 0) + 1, unanswered: isUnanswered };
}

/**
 * Whether the version may mean nothing to the server any more. An answer can say so. But a server
 * whose data was replaced by older data says nothing: a watch that begins above its newest version
 * tells of no change until that version is reached. So nobody who was away is trusted to be the same.
 */
function isVersionDoubtful(error: unknown, worked: boolean): boolean {
  if (error instanceof KubeError) {
    return error.status < 500 && ![401, 403, 408, 429].includes(error.status);
  }
  if (!(error instanceof K8slanError)) return false;
  return error.code === "ApiServerTimeout" || (error.code === "ApiServerUnreachable" && !worked);
}

function listAt(state: WatchState, error: unknown, now: number, random: number): number {
  return Math.max(earliestList(state, now), now + waitMs(state.failures, error, random));
}

function earliestList({ listedAt }: WatchState, now: number): number {
  return Math.max(now, listedAt === undefined ? now : listedAt + LIST_INTERVAL_MS);
}

function waitMs(failures: number, error: unknown, random: number): number {
  const asked = error instanceof KubeError ? error.retryAfterMs ?? 0 : 0;
  const away = failures > LONG_FAILURES ? LONG_UNREACHABLE : UNREACHABLE;
  const own = backoffMs(isAnswer(error) ? REFUSED : away, failures, random);
  return Math.max(own, Math.min(asked, REFUSED.mostMs));
}

/** Whether there was somebody to ask. */
function isAnswer(error: unknown): boolean {
  return !(error instanceof K8slanError && error.code === "ApiServerUnreachable");
}
