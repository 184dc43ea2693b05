/** Being the one of several processes that acts, by a Lease. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "./kube_api.ts";
import { isAlreadyExists, isConflict, isNotFound } from "./kube_error.ts";
import { LeaderTerm } from "./leader_term.ts";
import {
  FIRST_LEASE_STATE,
  LEASE_TIMING,
  type LeaseAction,
  type LeaseInput,
  type LeaseState,
  type LeaseTiming,
  type SeenLease,
  stepLease,
} from "./lease_step.ts";
import { microTime } from "./micro_time.ts";
import type { ObjectKey } from "./objects.ts";
import { type Lease, LEASES } from "./resources.ts";

export interface LeaderOptions {
  /** Best one of its own: a renewal must not wait behind other requests or on their connection. */
  readonly api: KubeApi;
  readonly lease: ObjectKey & { readonly namespace: string };
  /** Of this process alone, never used again: the pod's name and something random. */
  readonly identity: string;
  /** Whether another holder is known to have ended, so that its lease need not be waited for. */
  readonly hasEnded?: (holder: string) => boolean;
  /** Fires when the process shall end. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly timing?: LeaseTiming;
  readonly clock?: Clock;
  /** The date, for people who look at the lease. */
  readonly date?: () => Date;
}

/**
 * Waits for leadership and calls `lead` with a term; until `lead` ends, the lease is renewed. When
 * the term or the process ends, the term's signal fires, and `lead` is waited for.
 *
 * "lost": leadership was lost; best the process ends and begins anew. "ended": `signal` fired or
 * `lead` returned; the lease was released for others. Rejects when `lead` does.
 */
export async function runAsLeader(
  options: LeaderOptions,
  lead: (term: LeaderTerm) => Promise<void>,
): Promise<"ended" | "lost"> {
  const { signal, log, clock = systemClock } = options;
  const candidate = new Candidate(options);
  const term = await candidate.acquire();
  if (term === undefined) return "ended";
  log.info("Became leader", { identity: options.identity });
  const endTerm = () => term.end();
  signal.addEventListener("abort", endTerm);
  const done = new AbortController();
  // Renewed until `lead` has ended, so that nobody else begins while it still does.
  const renewing = candidate.renew(term, done.signal);
  let isLost = false;
  try {
    if (signal.aborted) endTerm();
    await lead(term);
  } finally {
    isLost = term.signal.aborted && !signal.aborted;
    if (isLost) log.error("Lost leadership", { identity: options.identity });
    signal.removeEventListener("abort", endTerm);
    done.abort();
    await renewing;
    term.end();
    if (candidate.isHeld(clock.now())) await candidate.release();
  }
  return isLost ? "lost" : "ended";
}

class Candidate {
  readonly #options: LeaderOptions;
  readonly #timing: LeaseTiming;
  readonly #clock: Clock;
  #state: LeaseState = FIRST_LEASE_STATE;
  #action: LeaseAction = { do: "read", afterMs: 0 };
  /** The object behind `#state.seen`. */
  #lease: Lease | undefined;
  /** In a row; the first one is worth a warning. */
  #failures = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#timing = options.timing ?? LEASE_TIMING;
    this.#clock = options.clock ?? systemClock;
  }

  isHeld(now: number): boolean {
    const { heldUntil } = this.#state;
    return heldUntil !== undefined && now < heldUntil;
  }

  /** Our term, when it begins; undefined if the process shall end before. */
  async acquire(): Promise<LeaderTerm | undefined> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await this.#turn(signal);
      const { heldUntil } = this.#state;
      // Written too slowly, it may be over already.
      if (this.isHeld(this.#clock.now())) return new LeaderTerm(this.#clock, heldUntil!);
    }
    return undefined;
  }

  /** Renews the lease until `done` fires or leadership is lost, which ends `term`. */
  async renew(term: LeaderTerm, done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      await this.#turn(done);
      if (!this.isHeld(this.#clock.now())) return term.end();
      term.prolong(this.#state.heldUntil!);
    }
  }

  /** Waits for its time, then does what is due. */
  async #turn(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#action.afterMs, signal);
    if (signal.aborted) return;
    const input = await this.#act(this.#action);
    const { identity } = this.#options;
    const now = this.#clock.now();
    const { state, action } = stepLease(this.#state, input, identity, this.#timing, now);
    this.#state = state;
    this.#action = action;
  }

  async #act(action: LeaseAction): Promise<LeaseInput> {
    const { api, lease: key, log } = this.#options;
    const call = { deadlineMs: Math.min(3_000, this.#timing.renewDeadlineMs / 3) };
    const sentAt = this.#clock.now();
    try {
      if (action.do === "read") {
        this.#lease = await api.get(LEASES, key, call);
        this.#failures = 0;
        return this.#lease === undefined
          ? { kind: "read" }
          : { kind: "read", lease: this.#seen(this.#lease) };
      }
      this.#lease = action.do === "create" || this.#lease === undefined
        ? await api.create(LEASES, { metadata: { ...key }, spec: this.#spec(undefined) }, call)
        : await api.replace(LEASES, { ...this.#lease, spec: this.#spec(this.#lease) }, call);
      return { kind: "written", lease: this.#seen(this.#lease), sentAt };
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) {
        log.debug("The lease changed meanwhile", { error: describe(error) });
        return { kind: "refused" };
      }
      const level = this.#failures++ === 0 ? "warn" : "debug";
      log[level](`The lease can't be ${PAST[action.do]}`, { error: describe(error) });
      return { kind: "failed" };
    }
  }

  #seen({ metadata: { resourceVersion }, spec = {} }: Lease): SeenLease {
    const { identity, hasEnded } = this.#options;
    const { holderIdentity: holder, leaseDurationSeconds } = spec;
    const isFree = !holder || (holder !== identity && hasEnded?.(holder) === true);
    return {
      resourceVersion,
      ...(isFree ? {} : { holder }),
      durationMs: (leaseDurationSeconds ?? 1) * 1_000,
    };
  }

  #spec(before: Lease | undefined): NonNullable<Lease["spec"]> {
    const { identity, date = () => new Date() } = this.#options;
    const now = microTime(date());
    const renewed = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(this.#timing.durationMs / 1_000),
      renewTime: now,
    };
    if (before?.spec?.holderIdentity === identity) return { ...before.spec, ...renewed };
    const transitions = before?.spec?.leaseTransitions;
    return {
      ...renewed,
      acquireTime: now,
      leaseTransitions: transitions === undefined ? 0 : transitions + 1,
    };
  }

  /** Lets others lead at once. If that fails, they wait until the lease is over. */
  async release(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    try {
      const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
      await this.#options.api.replace(LEASES, { ...lease, spec }, { deadlineMs: 3_000 });
    } catch (error) {
      this.#options.log.warn("The lease can't be released", { error: describe(error) });
    }
  }
}

const PAST = { read: "read", create: "created", take: "taken", renew: "renewed" } as const;
