/** Finding the largest frame that arrives, by halving: one more frame a round, and none when all is well. */

/** Where the answer lies: `low` arrives, `high` does not. As MTU, bytes. */
export interface MtuBounds {
  readonly low: number;
  readonly high: number;
}

/** As near as is worth a round. Bytes. */
const NEAR = 8;
/** Every so many rounds it is tried whether the next larger one does arrive after all. */
const DOUBT_ROUNDS = 8;

/** The bounds after an echo: of the frames of a round, `largest` arrived and `tried` was sent. */
export function narrowed(
  bounds: MtuBounds | undefined,
  full: number,
  largest: number,
  tried: number | undefined,
): MtuBounds | undefined {
  if (largest === 0) return bounds;
  if (largest >= full) return undefined;
  const before = bounds === undefined || bounds.high > full ? full : bounds.high;
  const high = tried !== undefined && tried > largest ? Math.min(before, tried) : before;
  // Something arrived that did not before.
  return { low: largest, high: high > largest ? high : full };
}

/** Size to try in this round for the peers of which frames of full size do not arrive. */
export function nextSize(all: readonly MtuBounds[], round: number): number | undefined {
  const open = all.find(({ low, high }) => high - low > NEAR);
  if (open !== undefined) return open.low + ((open.high - open.low) >> 1);
  if (all.length === 0) return undefined;
  const lowest = all.reduce((one, other) => other.low < one.low ? other : one);
  return round % DOUBT_ROUNDS === 0 ? lowest.high : lowest.low;
}
