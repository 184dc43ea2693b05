/** Which spokes have moved from one node to another, so that no table leads to where they were. */

import type { LanNodeObject } from "../kube/resources.ts";
import { markId } from "../plan/mark.ts";

/** A spoke, and a node that holds it. */
export interface SpokePlace {
  /** As in marks. */
  readonly lanId: string;
  readonly spoke: string;
  readonly node: string;
  /** Address of the interface in the workload, if that is known. */
  readonly mac?: string;
}

/** All that nodes say they hold. */
export function spokePlaces(nodes: Iterable<LanNodeObject>): SpokePlace[] {
  return [...nodes].flatMap(({ metadata: { name: node }, status }) =>
    status?.attachments?.flatMap(({ lanUid, spoke, mac }) =>
      spoke === undefined
        ? []
        : { ...{ lanId: markId(lanUid), spoke, node }, ...(mac === undefined ? {} : { mac }) }
    ) ?? []
  );
}

export interface SpokeChanges {
  /** Places that were left for others. */
  readonly left: readonly SpokePlace[];
  /** Places that are no longer the only ones: others have come to hold the same. */
  readonly shared: readonly SpokePlace[];
}

export class SpokeMoves {
  /** By LAN and spoke, then by node: who had it last. */
  #before: ReadonlyMap<string, ReadonlyMap<string, SpokePlace>>;

  /** With what was known earlier. */
  constructor(before: Iterable<SpokePlace> = []) {
    this.#before = grouped(before);
  }

  /**
   * Takes in who has what now; returns what is new since. A place that is left for nobody counts when
   * somebody has its spoke again, unless `isKnown` denies its LAN by then.
   */
  update(now: Iterable<SpokePlace>, isKnown: (lanId: string) => boolean): SpokeChanges {
    const held = grouped(now);
    const next = new Map<string, ReadonlyMap<string, SpokePlace>>(held);
    const left: SpokePlace[] = [];
    const shared: SpokePlace[] = [];
    for (const [key, places] of this.#before) {
      const current = held.get(key);
      if (current !== undefined) {
        const isNew = [...current.keys()].some((node) => !places.has(node));
        for (const place of places.values()) {
          if (!current.has(place.node)) left.push(place);
          else if (isNew) shared.push(place);
        }
      } else if ([...places.values()].every(({ lanId }) => isKnown(lanId))) {
        next.set(key, places);
      }
    }
    this.#before = next;
    return { left, shared };
  }
}

function grouped(places: Iterable<SpokePlace>): Map<string, Map<string, SpokePlace>> {
  const groups = new Map<string, Map<string, SpokePlace>>();
  for (const place of places) {
    const key = `${place.lanId} ${place.spoke}`;
    const group = groups.get(key) ?? new Map<string, SpokePlace>();
    groups.set(key, group.set(place.node, place));
  }
  return groups;
}
