/** Pods with a macvtap, as those of virtual machines are, on the seed document's LAN. */

import assert from "node:assert/strict";
import type { AgentLab, AgentNode, Workload } from "./agent_lab.ts";
import { disposeAll, Station, untilAllHear } from "./stations.ts";

export const LAN = "k8slan-system/lan-test";
/** What 1500 bytes of underlay leave. */
export const MTU = 1426;

export interface TapPod {
  readonly workload: Workload;
  readonly mac: string;
  /** `/dev/tapN` */
  readonly tap: string;
}

export async function attachTap(
  node: AgentNode,
  workload: Workload,
  spoke: string,
): Promise<TapPod> {
  const { mac, tap } = await node.attach(workload, { lan: LAN, spoke });
  assert.ok(tap !== undefined, "a macvtap has a device");
  return { workload, mac, tap };
}

/** Waits until the pods hear each other; nobody must have opened their taps yet, who would take the frames. */
export async function untilTapsHear(
  ...pods: readonly Pick<TapPod, "workload" | "mac">[]
): Promise<void> {
  const stations = pods.map(({ workload, mac }) => new Station(workload, mac));
  using _all = disposeAll(stations);
  await untilAllHear(stations);
}

export async function addTap(lab: AgentLab, node: string, spoke: string): Promise<TapPod> {
  return await attachTap(lab.node(node), await lab.addWorkload(`${node}-${spoke}`), spoke);
}
