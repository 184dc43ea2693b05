/**
 * Leader election over one Lease: a pure step from what was seen to what to do.
 *
 * Nobody's clock is compared with anybody else's. A lease of another holder is over when it has not
 * changed for its duration by our own clock; the times in it are for people. A leader counts its term
 * from the moment before it sent its last successful renewal, and ends it `renewDeadlineMs` later:
 * well before others, who saw that renewal later than it was sent, may take the lease. Each write
 * names the version it was decided on, so that of two who write at once one is refused.
 */

export interface LeaseTiming {
  /** Milliseconds that others must see a lease unchanged before they may take it. */
  readonly durationMs: number;
  /** Milliseconds after the last successful renewal at which a leader stops. */
  readonly renewDeadlineMs: number;
  /** Milliseconds between two tries. */
  readonly retryMs: number;
}

/** The usual times of Kubernetes' own controllers. */
export const LEASE_TIMING: LeaseTiming = {
  durationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryMs: 2_000,
};

/** What of a Lease matters here. */
export interface SeenLease {
  readonly resourceVersion: string;
  /** Absent when it was released. */
  readonly holder?: string;
  readonly durationMs: number;
}

export interface LeaseState {
  readonly seen?: SeenLease;
  /** When `seen` was first seen in this version. */
  readonly seenAt: number;
  /** Until when we lead; absent when we don't. */
  readonly heldUntil?: number;
}

export type LeaseInput =
  /** The lease as it is; absent if there is none. */
  | { readonly kind: "read"; readonly lease?: SeenLease }
  /** Our write, begun at `sentAt`, succeeded. */
  | { readonly kind: "written"; readonly lease: SeenLease; readonly sentAt: number }
  /** Our write was refused, since the lease is another one by now. */
  | { readonly kind: "refused" }
  /** There was no answer, or a failure that says nothing about the lease. */
  | { readonly kind: "failed" };

export type LeaseAction =
  | { readonly do: "read" | "create"; readonly afterMs: number }
  /** Write ourselves into the lease of this version. */
  | { readonly do: "take" | "renew"; readonly afterMs: number; readonly resourceVersion: string };

export const FIRST_LEASE_STATE: LeaseState = { seenAt: 0 };

/** The longest that a foreign lease is waited for, whatever it says. Milliseconds. */
const FOREIGN_DURATION_MAX_MS = 60_000;

export function isHeld({ heldUntil }: LeaseState, now: number): boolean {
  return heldUntil !== undefined && now < heldUntil;
}

/** What follows `input`, at `now` in milliseconds of a clock that never goes backwards. */
export function stepLease(
  state: LeaseState,
  input: LeaseInput,
  self: string,
  timing: LeaseTiming,
  now: number,
): { readonly state: LeaseState; readonly action: LeaseAction } {
  switch (input.kind) {
    case "read":
      return afterRead(state, input.lease, self, timing, now);
    case "written": {
      const { lease, sentAt } = input;
      const heldUntil = sentAt + timing.renewDeadlineMs;
      const held = { seen: lease, seenAt: now, heldUntil };
      return { state: held, action: renewal(lease, timing.retryMs) };
    }
    case "refused":
      return { state: withoutLostTerm(state, now), action: { do: "read", afterMs: 0 } };
    case "failed": {
      // Perhaps it was written all the same: only a look tells which version to build on.
      const action = { do: "read", afterMs: timing.retryMs } as const;
      return { state: withoutLostTerm(state, now), action };
    }
  }
}

function afterRead(
  state: LeaseState,
  lease: SeenLease | undefined,
  self: string,
  timing: LeaseTiming,
  now: number,
): { readonly state: LeaseState; readonly action: LeaseAction } {
  if (lease === undefined) {
    return { state: { seenAt: now }, action: { do: "create", afterMs: 0 } };
  }
  const isNew = lease.resourceVersion !== state.seen?.resourceVersion;
  const seen = { seen: lease, seenAt: isNew ? now : state.seenAt };
  if (lease.holder === self) {
    // Ours, perhaps by a renewal whose answer was lost: that doesn't prolong the term.
    const held = withoutLostTerm({ ...state, ...seen }, now);
    return { state: held, action: renewal(lease, 0) };
  }
  if (lease.holder === undefined) return { state: seen, action: taking(lease) };
  const leftMs = seen.seenAt + Math.min(lease.durationMs, FOREIGN_DURATION_MAX_MS) - now;
  if (leftMs <= 0) return { state: seen, action: taking(lease) };
  return { state: seen, action: { do: "read", afterMs: Math.min(timing.retryMs, leftMs) } };
}

function taking({ resourceVersion }: SeenLease): LeaseAction {
  return { do: "take", afterMs: 0, resourceVersion };
}

function renewal({ resourceVersion }: SeenLease, afterMs: number): LeaseAction {
  return { do: "renew", afterMs, resourceVersion };
}

function withoutLostTerm(state: LeaseState, now: number): LeaseState {
  if (isHeld(state, now)) return state;
  const { heldUntil: _, ...rest } = state;
  return rest;
}
