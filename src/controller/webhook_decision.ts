/** Whether a LAN may be written as asked: pure, from what is known of the others. */

import { type Lan, validateLan } from "../api/lan.ts";
import { GROUP } from "../api/names.ts";
import { isRecord } from "../kube/resource.ts";
import type { LanRef } from "../plan/acceptance.ts";
import type { Workload } from "./lan_report.ts";
import { findLanClash, type LanClash } from "./webhook_conflict.ts";
import type { AdmissionAnswer, AdmissionAsk, AdmissionCause } from "./webhook_review.ts";
import { lanWarnings } from "./webhook_warnings.ts";

export interface KnownLans {
  /** Whether all LANs have been read once. */
  readonly isSynced: boolean;
  /** The valid ones. */
  readonly lans: readonly Lan[];
  /** What agents say is attached to the LAN of that UID. */
  readonly workloads: (lanUid: string) => readonly Workload[];
}

/** What led to the answer; the label of a metric. */
export type AdmissionKind =
  | "allowed"
  | "skipped"
  | "unchecked"
  | "invalid"
  | "conflict"
  | "in-use";

export interface AdmissionDecision {
  readonly kind: AdmissionKind;
  readonly answer: AdmissionAnswer;
  /** The LAN that stands in the way, if one does. */
  readonly rival?: LanRef;
  /** Nodes where, it is said, something is attached that stands in the way. */
  readonly nodes?: readonly string[];
}

const LANS = `lans.${GROUP}`;

export function decideAdmission(ask: AdmissionAsk, known: KnownLans): AdmissionDecision {
  const { operation, object, oldObject } = ask;
  // All of these the API server is told not to ask about; it may have been told otherwise.
  if (ask.resource !== LANS || (operation !== "CREATE" && operation !== "UPDATE")) return SKIPPED;
  if (metadataOf(object)["deletionTimestamp"] !== undefined) return SKIPPED;
  if (operation === "UPDATE" && isSameSpec(object, oldObject)) return SKIPPED;

  const validation = validateLan(object);
  if ("issues" in validation) {
    const causes = validation.issues.map(({ path, message }) => (
      { reason: "FieldValueInvalid", field: path, message }
    ));
    return refused("invalid", object, causes);
  }
  const { lan } = validation;
  const warnings = lanWarnings(lan.spec);
  if (!known.isSynced) {
    warnings.unshift(
      "Other LANs are not known yet, so this one was not checked against them; see its condition " +
        "Accepted",
    );
    return { kind: "unchecked", answer: { allowed: true, warnings } };
  }
  const before = operation === "UPDATE" ? validateLan(oldObject) : undefined;
  const old = before !== undefined && "lan" in before ? before.lan : undefined;
  const clash = findLanClash(lan, old, known.lans);
  if (clash === undefined) {
    const users = usersOfRemoved(lan, old, known);
    if (users.length === 0) return { kind: "allowed", answer: { allowed: true, warnings } };
    const nodes = [...new Set(users.map(({ node }) => node))];
    return { ...refused("in-use", object, users.map(inUseCause)), nodes };
  }
  const cause = causeOf(clash, lan, known.lans);
  if (clash.isOld) {
    // What was in conflict may be edited step by step.
    warnings.unshift(`${cause.field} ${cause.message}`);
    return { kind: "allowed", answer: { allowed: true, warnings } };
  }
  return { ...refused("conflict", object, [cause]), rival: clash.holder };
}

/** Who is attached to spokes that the LAN is about to lose. */
function usersOfRemoved(lan: Lan, old: Lan | undefined, known: KnownLans): readonly Workload[] {
  const kept = new Set(lan.spec.spokes);
  const removed = new Set(old?.spec.spokes.filter((spoke) => !kept.has(spoke)));
  if (removed.size === 0) return [];
  return known.workloads(lan.metadata.uid)
    .filter(({ spoke }) => spoke !== undefined && removed.has(spoke));
}

function inUseCause({ spoke, pod, node, containerID }: Workload): AdmissionCause {
  const who = pod === undefined
    ? `container "${containerID.slice(0, 12)}"`
    : `pod "${pod.namespace}/${pod.name}"`;
  return {
    reason: "FieldValueForbidden",
    field: "spec.spokes",
    message: `must keep "${spoke}", which ${who} on node "${node}" is attached to: delete that ` +
      "first, then remove the spoke",
  };
}

const SKIPPED: AdmissionDecision = { kind: "skipped", answer: { allowed: true, warnings: [] } };

function refused(
  kind: AdmissionKind,
  object: unknown,
  causes: readonly AdmissionCause[],
): AdmissionDecision {
  const { name } = metadataOf(object);
  return {
    kind,
    answer: { allowed: false, name: typeof name === "string" ? name : "", causes, warnings: [] },
  };
}

function causeOf(clash: LanClash, lan: Lan, lans: readonly Lan[]): AdmissionCause {
  const { field, value, holder } = clash;
  const path = field === "spoke"
    ? `spec.spokes[${lan.spec.spokes.indexOf(value)}]`
    : field === "uid"
    ? "metadata.uid"
    : `spec.${field}`;
  const isGoing = lans.some(({ metadata }) =>
    metadata.uid === holder.uid && metadata.deletionTimestamp !== undefined
  );
  const whatToDo = isGoing
    ? `which is being deleted: wait until it is gone, or choose another ${field}`
    : `which had it first; choose another ${field}, or delete that LAN`;
  return {
    reason: "FieldValueDuplicate",
    field: path,
    message: `${field} "${value}" belongs to LAN "${holder.namespace}/${holder.name}", ${whatToDo}`,
  };
}

function metadataOf(object: unknown): Readonly<Record<string, unknown>> {
  const metadata = isRecord(object) ? object["metadata"] : undefined;
  return isRecord(metadata) ? metadata : {};
}

/** Written alike, which is enough: a spec that only reads alike is looked at once more. */
function isSameSpec(one: unknown, other: unknown): boolean {
  if (!isRecord(one) || !isRecord(other)) return false;
  return JSON.stringify(one["spec"]) === JSON.stringify(other["spec"]);
}
