/** VXLANs of other programs on this node, looked at when the kernel tells of one. */

import type { Condition } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type ForeignVxlan, foreignVxlanConditions } from "../plan/foreign_vxlan.ts";
import { lanName, underlayName } from "../plan/lan_plan.ts";

export interface ForeignVxlansDependencies {
  readonly node: string;
  readonly kernel: Pick<Kernel, "foreignVxlans">;
  /** Called after what `conditions()` says may have become something else. */
  readonly changed: () => void;
  readonly log: Log;
}

export class ForeignVxlans {
  readonly #deps: ForeignVxlansDependencies;
  #known: readonly ForeignVxlan[] = [];

  constructor(deps: ForeignVxlansDependencies) {
    this.#deps = deps;
    this.#known = this.#read();
  }

  /** What of these and the LAN is in the way of the other on this node. */
  conditions(lan: Lan): Condition[] {
    if (underlayName(lan.spec, this.#deps.node) === undefined) return [];
    return foreignVxlanConditions(lanName(lan), lan.spec, this.#known);
  }

  lookAgain(): void {
    const before = JSON.stringify(this.#known);
    this.#known = this.#read();
    if (JSON.stringify(this.#known) !== before) this.#deps.changed();
  }

  #read(): readonly ForeignVxlan[] {
    try {
      return this.#deps.kernel.foreignVxlans();
    } catch (error) {
      this.#deps.log.warn("Cannot read VXLANs of others", { error: describe(error) });
      return this.#known;
    }
  }
}
