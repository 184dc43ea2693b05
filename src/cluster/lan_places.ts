/** On which nodes LANs are in use, as the LANNode objects say. */

import type { LanNodeObject } from "../kube/resources.ts";
import { markId } from "../plan/mark.ts";

/** Names of the nodes that something is attached on, by the LAN's id in marks. */
export function lanPlaces(
  nodes: Iterable<LanNodeObject>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const places = new Map<string, Set<string>>();
  for (const { metadata, status } of nodes) {
    for (const { uid, attached } of status?.lans ?? []) {
      if (attached === 0) continue;
      const id = markId(uid);
      const names = places.get(id);
      if (names === undefined) places.set(id, new Set([metadata.name]));
      else names.add(metadata.name);
    }
  }
  return places;
}
