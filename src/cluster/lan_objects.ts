/** The LANs as they lie in the cluster → those that can be worked with, and what is wrong with the rest. */

import type { LansReading } from "../agent/lan_source.ts";
import { describeIssues, printable } from "../api/issues.ts";
import { type Lan, validateLan } from "../api/lan.ts";
import { keyOf, keyText } from "../kube/objects.ts";
import type { LanObject } from "../kube/resources.ts";
import type { ResourceEvent } from "../kube/watcher.ts";

interface Entry {
  /** Without what nobody here reads. */
  readonly object: LanObject;
  /** All that matters of it. */
  readonly text: string;
  /** The LAN, or what is wrong with it. */
  readonly found: Lan | string;
}

/** Each object is looked at once for each change of what matters of it. */
export class LanObjects {
  readonly #entries = new Map<string, Entry>();

  constructor(objects: readonly LanObject[] = []) {
    for (const object of objects) this.apply({ type: "applied", object });
  }

  /** Whether there is another LAN, or another state of one, for it. */
  apply(event: ResourceEvent<LanObject>): boolean {
    if (event.type === "synced") return false;
    const key = keyText(keyOf(event.object));
    if (event.type === "deleted") return this.#entries.delete(key);
    const object = bare(event.object);
    const text = textOf(object);
    const before = this.#entries.get(key);
    // The same LAN is the same object for as long as it can be: others remember by it.
    const found = before?.text === text ? before.found : look(object);
    this.#entries.set(key, { object, text, found });
    return before?.text !== text;
  }

  /** All objects, as they are to be remembered. */
  objects(): LanObject[] {
    return [...this.#entries.values()].map(({ object }) => object);
  }

  reading(): LansReading {
    const [lans, problems]: [Lan[], LansReading["problems"][number][]] = [[], []];
    for (const [name, { found }] of this.#entries) {
      if (typeof found !== "string") lans.push(found);
      else {
        const message = `LAN "${printable(name)}" is not valid: ${found}`;
        problems.push({ reason: "InvalidLan", message });
      }
    }
    return { lans, problems };
  }
}

/** Labels, annotations and status change often, and mean nothing to an agent. */
function bare({ apiVersion, kind, metadata, spec }: LanObject): LanObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const { generation, deletionTimestamp } = metadata;
  return {
    ...{ apiVersion, kind },
    metadata: {
      ...{ name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion },
      creationTimestamp,
      ...(generation === undefined ? {} : { generation }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec,
  };
}

function textOf({ metadata, spec }: LanObject): string {
  return JSON.stringify([{ ...metadata, resourceVersion: undefined }, spec]);
}

function look(object: LanObject): Lan | string {
  const result = validateLan(object);
  return "lan" in result ? result.lan : describeIssues(result.issues);
}
