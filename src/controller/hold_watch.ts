/** Tells what stays wrong with a LAN from what is so for a moment. */

import type { LanStatus } from "../api/lan_status.ts";

export interface HoldOptions<T> {
  /** Of the condition that tells of it. */
  readonly reason: string;
  /** How long it has to be so before it is told of. */
  readonly holdMs: number;
  /** The same text for the same thing. */
  readonly keyOf: (thing: T) => string;
  /** Whether somebody else has waited already; absent: nobody has. */
  readonly isSure?: (thing: T) => boolean;
}

export interface Lasting<T> {
  readonly lasting: readonly T[];
  /** When to look again though nothing changes: milliseconds. */
  readonly againMs?: number;
}

export class HoldWatch<T> {
  readonly #options: HoldOptions<T>;
  /** Since when each thing is so, by LAN. */
  readonly #since = new Map<string, ReadonlyMap<string, number>>();

  constructor(options: HoldOptions<T>) {
    this.#options = options;
  }

  /**
   * Takes in that `found` is all that is wrong with a LAN at the time `now`, in milliseconds. What its
   * status tells of already when it is looked at first, a former leader has waited for: it is not taken
   * back to be told of once more.
   */
  look(
    lanUid: string,
    found: readonly T[],
    status: LanStatus | undefined,
    now: number,
  ): Lasting<T> {
    const { reason, holdMs, keyOf, isSure = () => false } = this.#options;
    const before = this.#since.get(lanUid);
    const isTold = before === undefined &&
      status?.conditions?.some((condition) => condition.reason === reason) === true;
    const since = new Map(found.map((thing) => {
      const known = before?.get(keyOf(thing)) ?? now;
      return [keyOf(thing), isTold || isSure(thing) ? Math.min(known, now - holdMs) : known];
    }));
    this.#since.set(lanUid, since);
    const waitOf = (thing: T) => (since.get(keyOf(thing)) ?? now) + holdMs - now;
    const waits = found.map(waitOf).filter((waitMs) => waitMs > 0);
    return {
      lasting: found.filter((thing) => waitOf(thing) <= 0),
      ...(waits.length === 0 ? {} : { againMs: Math.min(...waits) }),
    };
  }

  /** To be called when a LAN is gone. */
  forget(lanUid: string): void {
    this.#since.delete(lanUid);
  }
}
