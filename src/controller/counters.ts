/** What has happened since the start; see ControllerCounters. */

import type { ControllerCounters } from "./facts.ts";

export type Counters = { -readonly [K in keyof ControllerCounters]: ControllerCounters[K] };

export function newCounters(): Counters {
  return {
    ...{ reconciles: 0, failures: 0, reconcileSeconds: 0 },
    ...{ networkWrites: 0, statusWrites: 0, watchTroubles: 0 },
  };
}
