/**
 * Which spokes may be held on two nodes, as their VM is on the way from one to the other: decided from
 * what the agents report and the VMs' pods; pure.
 */

import { LAN_MIGRATIONS_MAX, type Migration } from "../api/lan_status.ts";
import type { LauncherPod } from "./launcher_pods.ts";
import type { Workload } from "./lan_report.ts";

/** What is known of the VMs' pods. */
export interface Launchers {
  byUid(uid: string): LauncherPod | undefined;
  /** All pods of a VM in a namespace, in no order. */
  ofVmi(namespace: string, vmi: string): readonly LauncherPod[];
}

/**
 * The migrations of a LAN with these workloads, in the order of their spokes.
 *
 * A spoke is shared by the pod that holds it and the pod that KubeVirt made to take its VM over: both
 * belong to the same VM in the same namespace, the second is younger and bears a migration's label.
 * Nobody else may have it meanwhile; so there is no migration where a third one holds it.
 */
export function lanMigrations(
  workloads: readonly Workload[],
  launchers: Launchers,
): readonly Migration[] {
  const bySpoke = Map.groupBy(workloads, ({ spoke }) => spoke);
  const found: { readonly migration: Migration; readonly since: string }[] = [];
  for (const [spoke, holders] of bySpoke) {
    const next = spoke === undefined ? undefined : migrationOf(spoke, holders, launchers);
    if (next !== undefined) found.push(next);
  }
  // Of too many, the first that began: what is under way is not to be cut off by what comes.
  const first = found.sort((one, other) => order(one.since, other.since))
    .slice(0, LAN_MIGRATIONS_MAX).map(({ migration }) => migration);
  return first.sort((one, other) => order(one.spoke, other.spoke));
}

interface Holder {
  readonly node: string;
  readonly pod: LauncherPod;
}

function migrationOf(spoke: string, workloads: readonly Workload[], launchers: Launchers) {
  const holders = workloads.map((workload) => holderOf(workload, launchers));
  const living = holders.flatMap((holder) => holder ?? []).sort((one, other) =>
    byAge(one.pod, other.pod)
  );
  const [source, second, third] = living;
  if (living.length < holders.length || source === undefined || third !== undefined) return;
  const to = second?.pod ?? newest(candidates(source, spoke, launchers));
  if (to === undefined || !isSuccessor(source, to, spoke)) return undefined;
  const { metadata: { namespace = "", name, uid } } = source.pod;
  const migration: Migration = {
    spoke,
    from: { node: source.node, namespace, name, uid },
    to: { ...(to.node === undefined ? {} : { node: to.node }), ...podOf(to) },
  };
  return { migration, since: `${to.metadata.creationTimestamp} ${to.metadata.uid}` };
}

/** Undefined for a workload that no living VM accounts for: nothing is shared with that. */
function holderOf({ node, attach, pod }: Workload, launchers: Launchers): Holder | undefined {
  if (attach !== "macvtap" || pod?.uid === undefined) return undefined;
  const found = launchers.byUid(pod.uid);
  if (found === undefined || found.isFinished || found.vmi === undefined) return undefined;
  const { namespace, name } = found.metadata;
  return namespace === pod.namespace && name === pod.name ? { node, pod: found } : undefined;
}

function candidates(source: Holder, spoke: string, launchers: Launchers): LauncherPod[] {
  const { vmi = "", metadata: { namespace = "" } } = source.pod;
  return launchers.ofVmi(namespace, vmi).filter((pod) =>
    pod.metadata.deletionTimestamp === undefined && isSuccessor(source, pod, spoke)
  );
}

function isSuccessor(source: Holder, pod: LauncherPod, spoke: string): boolean {
  const { pod: old } = source;
  return pod.metadata.uid !== old.metadata.uid && !pod.isFinished && byAge(old, pod) < 0 &&
    pod.vmi !== undefined && pod.vmi === old.vmi &&
    pod.metadata.namespace === old.metadata.namespace &&
    pod.migration !== undefined && pod.migration !== old.migration &&
    pod.node !== source.node && pod.spokes.includes(spoke);
}

function newest(pods: readonly LauncherPod[]): LauncherPod | undefined {
  return pods.toSorted(byAge).at(-1);
}

/** Times are in whole seconds: a VM's first pod, which no migration made, is the older of two. */
function byAge(one: LauncherPod, other: LauncherPod): number {
  const age = (pod: LauncherPod) =>
    `${pod.metadata.creationTimestamp} ${pod.migration === undefined ? 0 : 1} ${pod.metadata.uid}`;
  return order(age(one), age(other));
}

function podOf({ metadata: { namespace = "", name, uid } }: LauncherPod) {
  return { namespace, name, uid };
}

/** By code units, as everywhere. */
function order(one: string, other: string): number {
  return one < other ? -1 : one === other ? 0 : 1;
}
