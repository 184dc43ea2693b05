/** Where an agent's LANs come from: a folder of files, or a cluster. */

import type { Condition } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";

export interface LansReading {
  readonly lans: readonly Lan[];
  /** What is wrong with the rest, or with the source itself. */
  readonly problems: readonly Condition[];
}

export interface LanSource {
  /** All LANs as they are known at this moment; waits for nobody. Throws if nothing can be told. */
  read(): LansReading;
  /** Calls `changed` after `read()` may have come to say something else, until `signal` fires. */
  watch(changed: () => void, signal: AbortSignal): Promise<void>;
}
