/** From the network attachment definitions that are there to those that shall be. */

import { keyOf, keyText, type ObjectKey } from "../kube/objects.ts";
import type { NetworkAttachmentDefinition } from "../kube/resources.ts";
import { isAsWanted, lanUidOf, type WantedNetwork } from "./networks.ts";

export interface NetworkDiff {
  readonly create: readonly WantedNetwork[];
  readonly repair: readonly NetworkRepair[];
  readonly remove: readonly NetworkAttachmentDefinition[];
  /** Names that are wanted and that somebody else has. */
  readonly foreign: readonly ForeignNetwork[];
}

export interface NetworkRepair {
  readonly found: NetworkAttachmentDefinition;
  readonly wanted: WantedNetwork;
}

export interface ForeignNetwork {
  readonly key: ObjectKey;
  /** UID of the LAN that it belongs to, if to any. */
  readonly lanUid?: string;
}

/** What is known of the cluster besides the LAN itself. */
export interface NetworksFound {
  /** All that bear the LAN's UID. */
  readonly own: readonly NetworkAttachmentDefinition[];
  /** Whatever has the name, as far as it is known. */
  readonly find: (key: ObjectKey) => NetworkAttachmentDefinition | undefined;
  /** Whether a LAN of that UID exists. */
  readonly isLiving: (lanUid: string) => boolean;
}

/** Whose an object is that has a wanted name: this LAN's, nobody's any more, or somebody else's. */
export function ownerOf(
  found: NetworkAttachmentDefinition,
  wanted: WantedNetwork,
  isLiving: (lanUid: string) => boolean,
): "own" | "left" | ForeignNetwork {
  const lanUid = lanUidOf(found);
  if (lanUid === wanted.lanUid) return "own";
  if (lanUid !== undefined && !isLiving(lanUid)) return "left";
  return { key: keyOf(found), ...(lanUid === undefined ? {} : { lanUid }) };
}

/**
 * What to write. A name that is taken by something the controller hasn't heard of is among `create`:
 * only the attempt shows it.
 */
export function diffNetworks(
  wanted: readonly WantedNetwork[],
  { own, find, isLiving }: NetworksFound,
): NetworkDiff {
  const create: WantedNetwork[] = [];
  const repair: NetworkRepair[] = [];
  const foreign: ForeignNetwork[] = [];
  const names = new Set<string>();
  for (const network of wanted) {
    names.add(keyText(network));
    const found = find(network);
    const owner = found === undefined ? undefined : ownerOf(found, network, isLiving);
    if (found === undefined || owner === undefined || owner === "left") create.push(network);
    else if (owner !== "own") foreign.push(owner);
    else if (!isAsWanted(found, network)) repair.push({ found, wanted: network });
  }
  const remove = own.filter((found) => !names.has(keyText(keyOf(found))));
  return { create, repair, remove, foreign };
}
