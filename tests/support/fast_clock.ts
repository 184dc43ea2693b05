/** A clock that runs `factor` times as fast as the machine's, while this process runs. */

import { type Clock, systemClock } from "../../src/base/clock.ts";

/** It is looked at this often while anybody sleeps. */
const LOOK_MS = 10;
/** Between two looks no more than this passes: what is longer is a standstill of the process. */
const MOST_MS = 50;

/**
 * A standstill of a second would be one of many seconds by this clock, in which leases run out and
 * others give up: it stands still then too.
 */
export function fastClock(factor: number): Clock {
  let looked = systemClock.now();
  let now = looked * factor;
  let sleepers = 0;
  const look = () => {
    const real = systemClock.now();
    const passed = real - looked;
    looked = real;
    return now += factor * (sleepers > 0 ? Math.min(passed, MOST_MS) : passed);
  };
  return {
    now: look,
    async sleep(ms, signal) {
      const end = look() + ms;
      sleepers++;
      try {
        let left = ms;
        do {
          await systemClock.sleep(Math.min(left / factor, LOOK_MS), signal);
          left = end - look();
        } while (left > 0 && !signal.aborted);
      } finally {
        sleepers--;
      }
    },
  };
}
