/** Spokes that workloads on several nodes hold at once, though one alone may have them. */

import type { Migration } from "../api/lan_status.ts";
import { counted, textList } from "../base/text_list.ts";
import type { HoldOptions } from "./hold_watch.ts";
import { userText, type Workload } from "./lan_report.ts";

/** Reason of condition `NodesReady` for it. */
export const SPOKE_SHARED = "SpokeShared";

export interface SharedSpoke {
  readonly spoke: string;
  readonly holders: readonly Workload[];
}

/**
 * The spokes of a LAN with these workloads that are held on more than one node, in order; without
 * those that a VM takes along, as `migrations` allow. Two agents can each let a pod have a spoke when
 * neither has told of it yet; no one node can know better, so that only whoever sees all of them can
 * say so.
 */
export function sharedSpokes(
  workloads: readonly Workload[],
  migrations: readonly Migration[],
): readonly SharedSpoke[] {
  const shared: SharedSpoke[] = [];
  for (const [spoke, holders] of Map.groupBy(workloads, ({ spoke }) => spoke)) {
    if (spoke === undefined || new Set(holders.map(({ node }) => node)).size < 2) continue;
    const migration = migrations.find((one) => one.spoke === spoke);
    if (migration !== undefined && holders.every((holder) => takesPart(holder, migration))) {
      continue;
    }
    shared.push({ spoke, holders });
  }
  return shared.sort((one, other) => one.spoke < other.spoke ? -1 : 1);
}

function takesPart({ node, pod }: Workload, { from, to }: Migration): boolean {
  if (pod?.uid === undefined) return false;
  return (pod.uid === from.uid && node === from.node) ||
    (pod.uid === to.uid && node === (to.node ?? node));
}

/** What is wrong with it and what to do, for people. */
export function sharedText({ spoke, holders }: SharedSpoke): string {
  const nodes = new Set(holders.map(({ node }) => node)).size;
  const who = holders.map((holder) => `${userText(holder)} on node "${holder.node}"`);
  return `Spoke "${spoke}" is held on ${counted(nodes, "node")} at once, by ` +
    `${textList(who, { most: 4, separator: " and " })}: delete ` +
    (holders.length === 2 ? "one of them" : "all of them but one");
}

/**
 * How long a spoke has to be shared before it is told of. A pod that follows another on another node is
 * never seen to share: its agent waits for the LANNode there to let go of the spoke, and LANNodes are
 * seen here in the order in which they are written. The end of a migration is: that the former pod has
 * ended stands in the pod, and in the LANNode only after kubelet has taken down the sandbox, a second
 * or two later, and the agent has gathered what else there is to report, up to 0.6 s. A fault stays
 * until somebody deletes a pod, so that nothing is lost by waiting.
 */
export const SHARED_HOLD: HoldOptions<SharedSpoke> = {
  ...{ reason: SPOKE_SHARED, holdMs: 5_000 },
  keyOf: ({ spoke }) => spoke,
};
