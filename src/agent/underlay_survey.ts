/** What this node could do for LANs that nothing is attached to yet. */

import type { Condition } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { lanPlan, type NodeFacts, underlayName } from "../plan/lan_plan.ts";
import { protectionOf, unprotected } from "../plan/protection.ts";
import { ownVtep } from "../plan/vtep.ts";
import type { Underlay } from "../plan/wanted.ts";
import type { DriftWatch } from "./drift_watch.ts";
import { isDeleting, type LanRegistry } from "./lan_registry.ts";

/** How a LAN would fare on this node. */
export interface Prospect {
  /** The underlay device that the LAN names for this node. */
  readonly underlay: string;
  /** MTU that the LAN would have. Bytes. */
  readonly mtu: number;
  /** Address by which other nodes could send to this one; absent while it has none. */
  readonly vtep?: string;
  readonly conditions: readonly Condition[];
}

export interface SurveyDependencies {
  readonly node: NodeFacts;
  readonly kernel: Pick<Kernel, "underlay" | "filterProblem">;
  readonly registry: Pick<LanRegistry, "all">;
  readonly drift: Pick<DriftWatch, "track" | "untrack">;
  /** Called after what `prospect()` says may have become something else. */
  readonly changed: () => void;
  readonly log: Log;
}

/** What the kernel said of a device when it was last asked. */
interface Reading {
  readonly underlay: Underlay | undefined;
  /** Why it cannot be known. */
  readonly failure?: string;
  /** Why ports cannot be given filters, where a LAN asks for some. */
  readonly filterProblem?: string;
}

/** How the devices are named where LANs are: no LAN has an id with a space. */
const ID_PREFIX = "underlay ";

/**
 * Looks at each underlay device once for all LANs that lie on it: when a LAN first names it, when the
 * kernel tells of it, and when asked to. What a thousand LANs cost then is arithmetic.
 */
export class UnderlaySurvey {
  readonly #deps: SurveyDependencies;
  readonly #readings = new Map<string, Reading>();
  /** Does any LAN here ask for filters? */
  #wantsFilters = false;
  /** Of each LAN, together with the reading that it follows from. */
  readonly #prospects = new WeakMap<Lan, { readonly of: Reading; readonly prospect: Prospect }>();

  constructor(deps: SurveyDependencies) {
    this.#deps = deps;
  }

  /** Undefined when the LAN names no underlay device for this node: it takes no part in the LAN. */
  prospect(lan: Lan): Prospect | undefined {
    const { node } = this.#deps;
    const device = underlayName(lan.spec, node.name);
    if (device === undefined) return undefined;
    const reading = this.#readings.get(device) ?? this.#read(device);
    const known = this.#prospects.get(lan);
    if (known?.of === reading) return known.prospect;
    const plan = lanPlan(lan, node, reading.underlay, [], "unknown");
    const { mtu, conditions } = reading.filterProblem === undefined
      ? plan
      : unprotected(plan, reading.filterProblem);
    const vtep = ownVtep(reading.underlay);
    const prospect = {
      ...{ underlay: device, mtu },
      ...(vtep === undefined ? {} : { vtep }),
      conditions: reading.failure === undefined
        ? conditions.map(({ reason, message }) => ({ reason, message }))
        : [{ reason: "UnderlayUnreadable", message: reading.failure }],
    };
    this.#prospects.set(lan, { of: reading, prospect });
    return prospect;
  }

  /** LANs came, went or changed: looks at the devices that are new, and at no others. */
  lansChanged(): void {
    const { registry, node, drift, changed } = this.#deps;
    const named = new Set<string>();
    const filtersBefore = this.#wantsFilters;
    this.#wantsFilters = false;
    for (const { lan, verdict } of registry.all()) {
      const device = underlayName(lan.spec, node.name);
      if (!verdict.accepted || isDeleting(lan) || device === undefined) continue;
      named.add(device);
      this.#wantsFilters ||= protectionOf(lan.spec) !== undefined;
    }
    // All readings say something else then, if there is anything to say.
    if (this.#wantsFilters !== filtersBefore) this.lookAgain();
    for (const device of this.#readings.keys()) {
      if (named.has(device)) continue;
      this.#readings.delete(device);
      drift.untrack(ID_PREFIX + device);
    }
    for (const device of named) if (!this.#readings.has(device)) this.#read(device);
    changed();
  }

  /** Looks at the device that `DriftWatch` suspects; false if the id is none of a device. */
  suspect(id: string): boolean {
    if (!id.startsWith(ID_PREFIX)) return false;
    const device = id.slice(ID_PREFIX.length);
    if (this.#readings.has(device) && this.#lookAgain(device)) this.#deps.changed();
    return true;
  }

  /** Looks at all devices, without occasion. */
  lookAgain(): void {
    const differs = [...this.#readings.keys()].map((device) => this.#lookAgain(device));
    if (differs.includes(true)) this.#deps.changed();
  }

  /** Says whether the device is another one than before. */
  #lookAgain(device: string): boolean {
    const before = this.#readings.get(device);
    return this.#read(device) !== before;
  }

  /** Keeps the reading that there is if it is the same, and with it what follows from it. */
  #read(device: string): Reading {
    const before = this.#readings.get(device);
    const reading = this.#ask(device);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(reading)) return before;
    this.#readings.set(device, reading);
    const index = reading.underlay?.index;
    // Not each time: `DriftWatch` may be going through what it tracks.
    if (before === undefined || before.underlay?.index !== index) {
      this.#deps.drift.track(ID_PREFIX + device, {
        netnsId: undefined,
        underlay: { name: device, ...(index === undefined ? {} : { index }) },
        spokes: [],
      });
    }
    return reading;
  }

  #ask(device: string): Reading {
    const { kernel, log } = this.#deps;
    try {
      const filterProblem = this.#wantsFilters ? kernel.filterProblem() : undefined;
      return {
        underlay: kernel.underlay(device),
        ...(filterProblem === undefined ? {} : { filterProblem }),
      };
    } catch (error) {
      const failure = `Cannot read underlay device "${device}": ${describe(error)}`;
      log.warn(failure);
      return { underlay: undefined, failure };
    }
  }
}
