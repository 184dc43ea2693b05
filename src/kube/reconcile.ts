/** Working on keys: each by a function that reads the state, makes it right, and may fail. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WorkQueue } from "../base/work_queue.ts";
import { isConflict } from "./kube_error.ts";

export interface ReconcileResult {
  /** Look again after so many milliseconds, even if nothing changes. */
  readonly requeueAfterMs?: number;
}

/**
 * Makes what is wanted of `key` true. It isn't told what happened, may be called any number of times,
 * and never twice at once for a key. It throws to be called again, later each time; or TerminalError.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult | void>;

/** No use to try again until something changes. */
export class TerminalError extends K8slanError {
  constructor(code: string, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, options);
    this.name = "TerminalError";
  }
}

export interface ReconcilerOptions {
  readonly queue: WorkQueue;
  readonly reconcile: Reconcile;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Keys worked on at once. */
  readonly workers?: number;
  /** Milliseconds after which a reconciliation is told to end; it then counts as failed. */
  readonly deadlineMs?: number;
  readonly clock?: Clock;
}

const DEADLINE_MS = 120_000;

/** Works on the keys of the queue until `signal` fires and what is under way has ended. */
export async function runReconciler(options: ReconcilerOptions): Promise<void> {
  const { workers = 1 } = options;
  await Promise.all(Array.from({ length: workers }, () => work(options)));
}

async function work(options: ReconcilerOptions): Promise<void> {
  const { queue, signal } = options;
  for (;;) {
    const key = await queue.take(signal);
    if (key === undefined) return;
    try {
      await reconcileOnce(options, key);
    } finally {
      queue.done(key);
    }
  }
}

async function reconcileOnce(options: ReconcilerOptions, key: string): Promise<void> {
  const { queue, reconcile, signal, log, clock = systemClock } = options;
  const { deadlineMs = DEADLINE_MS } = options;
  const call = new AbortController();
  const stop = () => call.abort(signal.reason);
  signal.addEventListener("abort", stop);
  const over = new AbortController();
  clock.sleep(deadlineMs, over.signal).then(() => {
    const text = `The reconciliation of "${key}" took more than ${deadlineMs / 1_000} s`;
    if (!over.signal.aborted) call.abort(new K8slanError("Overdue", text, { retriable: true }));
  });
  try {
    const result = await reconcile(key, call.signal);
    queue.forget(key);
    if (result?.requeueAfterMs !== undefined) queue.add(key, result.requeueAfterMs);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof TerminalError) {
      queue.forget(key);
      log.error("Reconcile failed for good", { key, code: error.code, error: describe(error) });
      return;
    }
    const failures = queue.failures(key) + 1;
    const againMs = queue.retry(key);
    // That somebody else was faster is how it goes; only when it goes on is it worth a warning.
    const level = isConflict(error) && failures < 4 ? "debug" : "warn";
    log[level]("Reconcile failed", { key, failures, againMs, error: describe(error) });
  } finally {
    over.abort();
    signal.removeEventListener("abort", stop);
  }
}
