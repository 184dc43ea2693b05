/** Figures over all LANs, from their own status: pure. */

import type { LanObject } from "../kube/resources.ts";

export interface ConditionCount {
  readonly condition: string;
  readonly status: string;
  readonly lans: number;
}

export interface LanFigures {
  readonly lans: number;
  readonly spokes: number;
  readonly attached: number;
  readonly conditions: readonly ConditionCount[];
}

/** Counted also where it is 0, so that a rule about it never lacks its figure. */
const CONDITIONS = ["Accepted", "NetworksReady", "NodesReady", "InUse", "Connected", "Ready"];
const STATUSES = ["True", "False", "Unknown"];

/** A condition that a LAN doesn't have yet counts as Unknown. */
export function lanFigures(lans: readonly LanObject[]): LanFigures {
  const counts = new Map<string, number>();
  let [spokes, attached] = [0, 0];
  for (const { status } of lans) {
    spokes += status?.spokes ?? 0;
    attached += status?.attached ?? 0;
    for (const type of CONDITIONS) {
      const condition = status?.conditions?.find((one) => one.type === type);
      const key = `${type} ${condition?.status ?? "Unknown"}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  const conditions = CONDITIONS.flatMap((condition) =>
    STATUSES.map((status) => (
      { condition, status, lans: counts.get(`${condition} ${status}`) ?? 0 }
    ))
  );
  return { lans: lans.length, spokes, attached, conditions };
}
