/** A clock that runs `factor` times as fast as the machine's. */

import { type Clock, systemClock } from "../../src/base/clock.ts";

export function fastClock(factor: number): Clock {
  return {
    now: () => systemClock.now() * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
  };
}
