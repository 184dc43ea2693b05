/** All objects of a kind, and every change to them, for ever. */

import { type Clock, systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";
import type { KubeApi, ListPage, Selection } from "./kube_api.ts";
import { keyOf, keyText, type KubeObject } from "./objects.ts";
import { type Resource, resourceText } from "./resource.ts";
import { firstWatchState, isBelieved, step, type WatchOutcome } from "./watch_plan.ts";

export type ResourceEvent<T> =
  | { readonly type: "applied" | "deleted"; readonly object: T }
  /** Everything that was there when a complete list was made has been told. */
  | { readonly type: "synced" };

export interface WatchTrouble {
  /** What failed. */
  readonly during: "list" | "watch";
  readonly error: unknown;
  /** What follows, and after how many milliseconds. */
  readonly next: "list" | "watch";
  readonly afterMs: number;
}

export interface WatcherOptions<T> extends Selection {
  readonly signal: AbortSignal;
  /** What was there when somebody listened last: what has gone since is yielded as deleted. */
  readonly known?: readonly T[];
  /** Told of everything that goes wrong, all of which is tried again. */
  readonly onTrouble?: (trouble: WatchTrouble) => void;
  /** Told whenever all is well as far as one can see: a list came, or a watch began. */
  readonly onContact?: () => void;
  /** Seconds after which the server ends a watch; each end costs one request. */
  readonly watchSeconds?: number;
  /** Milliseconds without a byte after which a connection counts as dead. */
  readonly idleMs?: number;
  readonly pageSize?: number;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/**
 * A server sends bookmarks each minute at best, and none at all of a kind that hasn't changed since it
 * started. Ended after 55 s, a watch is never silent for 60 s unless the line is dead.
 */
const WATCH_SECONDS = 55;
const IDLE_MS = 60_000;
const PAGE_SIZE = 500;
const PAGES_MAX = 10_000;

/**
 * Yields what is there ("applied" for each, then "synced"), then what changes; returns when `signal`
 * fires, and for no other reason.
 *
 * Guarantees: deletes that happened while nobody listened are yielded after the next complete list,
 * before its "synced"; an object that was replaced by another of its name is yielded as "deleted" and
 * "applied". A list that is suddenly empty is believed only when it is so again 30 s later.
 * Caveats: changes in quick succession may come as one, and the same state may come twice.
 */
export async function* watchResource<T extends KubeObject>(
  api: KubeApi,
  resource: Resource<T>,
  options: WatcherOptions<T>,
): AsyncGenerator<ResourceEvent<T>, void, void> {
  const { signal, clock = systemClock, random = Math.random } = options;
  const known = new Map(options.known?.map((object) => [keyText(keyOf(object)), object]));
  let state = firstWatchState(clock.now());
  while (!signal.aborted) {
    const { next } = state;
    await clock.sleep(next.at - clock.now(), signal);
    if (signal.aborted) return;
    const beganAt = clock.now();
    let outcome: WatchOutcome;
    let page: ListPage<T> | undefined;
    if (next.do === "list") {
      try {
        page = await listAll(api, resource, options, next.paged);
        const { items: { length: items }, resourceVersion } = page;
        outcome = { kind: "listed", beganAt, resourceVersion, items, known: known.size };
      } catch (error) {
        outcome = { kind: "list-failed", beganAt, error };
      }
    } else {
      outcome = yield* watchOnce(api, resource, options, next.resourceVersion, known, beganAt);
    }
    if (signal.aborted) return;
    const now = clock.now();
    state = step(state, outcome, now, random());
    if (page !== undefined && isBelieved(state)) {
      options.onContact?.();
      yield* differences(known, page.items);
      yield { type: "synced" };
    }
    const error = troubleOf(outcome, page !== undefined && !isBelieved(state), resource);
    if (error !== undefined) {
      const afterMs = Math.max(state.next.at - now, 0);
      options.onTrouble?.({ during: next.do, error, next: state.next.do, afterMs });
    }
  }
}

/** All objects: page after page, or at once. Throws what `list()` throws. */
async function listAll<T extends KubeObject>(
  api: KubeApi,
  resource: Resource<T>,
  options: WatcherOptions<T>,
  paged: boolean,
): Promise<ListPage<T>> {
  const { signal, pageSize: limit = PAGE_SIZE } = options;
  const selection = selectionOf(options);
  if (!paged) return await api.list(resource, { ...selection, signal });
  const items: T[] = [];
  let next: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await api.list(resource, {
      ...{ ...selection, signal, limit },
      ...(next === undefined ? {} : { continue: next }),
    });
    items.push(...page.items);
    next = page.continue;
    if (next === undefined) return { items, resourceVersion: page.resourceVersion };
  }
  throw new K8slanError("ApiServerGarbled", `The list of ${resourceText(resource)} has no end`);
}

async function* watchOnce<T extends KubeObject>(
  api: KubeApi,
  resource: Resource<T>,
  options: WatcherOptions<T>,
  since: string,
  known: Map<string, T>,
  beganAt: number,
): AsyncGenerator<ResourceEvent<T>, WatchOutcome, void> {
  const { signal, watchSeconds = WATCH_SECONDS, idleMs = IDLE_MS } = options;
  let resourceVersion = since;
  let events = 0;
  try {
    const watching = api.watch(resource, {
      ...selectionOf(options),
      ...{ signal, resourceVersion, timeoutSeconds: watchSeconds, idleMs },
      ...(options.onContact === undefined ? {} : { onOpen: options.onContact }),
    });
    for await (const event of watching) {
      events++;
      if (event.type === "bookmark") {
        resourceVersion = event.resourceVersion;
        continue;
      }
      resourceVersion = event.object.metadata.resourceVersion;
      if (event.type === "deleted") {
        known.delete(keyText(keyOf(event.object)));
        yield { type: "deleted", object: event.object };
      } else {
        yield* applied(known, event.object);
      }
    }
    return { kind: "watch-ended", beganAt, resourceVersion, events };
  } catch (error) {
    return { kind: "watch-ended", beganAt, resourceVersion, events, error };
  }
}

/** The events that lead from `known` to `items`; `known` is then the same as `items`. */
export function* differences<T extends KubeObject>(
  known: Map<string, T>,
  items: readonly T[],
): Generator<ResourceEvent<T>, void, void> {
  const there = new Set(items.map((item) => keyText(keyOf(item))));
  for (const [key, object] of [...known]) {
    if (there.has(key)) continue;
    known.delete(key);
    yield { type: "deleted", object };
  }
  for (const item of items) {
    const before = known.get(keyText(keyOf(item)));
    if (before !== undefined && isSame(before, item)) continue;
    yield* applied(known, item);
  }
}

/** Versions begin anew when etcd does, so that alone they prove nothing. */
function isSame({ metadata: one }: KubeObject, { metadata: other }: KubeObject): boolean {
  return one.uid === other.uid && one.resourceVersion === other.resourceVersion;
}

function* applied<T extends KubeObject>(
  known: Map<string, T>,
  object: T,
): Generator<ResourceEvent<T>, void, void> {
  const key = keyText(keyOf(object));
  const before = known.get(key);
  known.set(key, object);
  if (before !== undefined && before.metadata.uid !== object.metadata.uid) {
    yield { type: "deleted", object: before };
  }
  yield { type: "applied", object };
}

function selectionOf({ namespace, labelSelector, fieldSelector }: Selection): Selection {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

function troubleOf(outcome: WatchOutcome, doubted: boolean, resource: Resource<KubeObject>) {
  if (doubted) {
    const text = `The list of ${resourceText(resource)} is suddenly empty; it is asked for again`;
    return new K8slanError("SuddenlyEmpty", text, { retriable: true });
  }
  return outcome.kind === "listed" ? undefined : outcome.error;
}
