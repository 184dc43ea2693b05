/** Looks at LANs without occasion: a little all the time instead of much at once. */

import { hash32 } from "../base/hash.ts";

/** Every LAN is looked at this often, whether or not an event came: a look takes some 4 ms. */
const RESYNC_MS = 900_000;
const TICKS = 90;
/** Of a minute, and the one by which what the start took is garbage. */
const TIDY = { ticks: 6, first: 3 };

/** How often `isDue` is to be asked. */
export const RESYNC_TICK_MS = RESYNC_MS / TICKS;

/** Is it this LAN's turn at that tick? Once in `TICKS`, whatever other LANs come and go. */
export function isDue(lanId: string, tick: number): boolean {
  return hash32(lanId) % TICKS === tick % TICKS;
}

/**
 * Is memory to be given back at that tick? Each time that hundreds of LANs come and go, 10 MB and more
 * would stay otherwise; giving back nothing takes next to no time.
 */
export function isTidyTick(tick: number): boolean {
  return tick % TIDY.ticks === TIDY.first;
}
