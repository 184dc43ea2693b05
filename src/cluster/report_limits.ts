/** What a LANNode object has room for. One that is too large would be refused as a whole. */

import type { Condition } from "../api/agent_protocol.ts";
import {
  type AttachmentOnNode,
  type LanNodeStatus,
  type LanOnNode,
  NODE_ATTACHMENTS_MAX,
  NODE_CONDITIONS_MAX,
  NODE_LANS_MAX,
  NODE_PROBLEMS_MAX,
  NODE_UNATTACHED_MAX,
  type UnattachedOnNode,
} from "../api/lan_node.ts";
import { VERSION_MAX } from "../api/names.ts";

const REASON_MAX = 128;
const MESSAGE_MAX = 2048;
const CONTAINER_MAX = 256;
const UID_MAX = 128;

/** etcd takes 1.5 MB. The managed fields, which the API server adds, name each LAN once more. */
const BYTES_MAX = 1_200_000;
const MANAGED_BYTES = 400;

/** What a node may have to say, of whatever size. */
export interface FullReport {
  readonly version: string;
  readonly lans: readonly LanOnNode[];
  readonly attachments: readonly AttachmentOnNode[];
  readonly attached: number;
  readonly unattached: readonly UnattachedOnNode[];
  readonly problems: readonly Condition[];
}

/** As much of the report as there is room for; a problem says what is left out. */
export function cutReport(report: FullReport): LanNodeStatus {
  const lans = cutLans(report.lans.map(fitLan));
  const room = BYTES_MAX - lans.bytes;
  const attachments = takeWithin(report.attachments.map(fitAttachment), {
    ...{ most: NODE_ATTACHMENTS_MAX, bytes: room, bytesOf },
  });
  const unattached = report.unattached.slice(0, NODE_UNATTACHED_MAX);
  const problems = cutConditions([
    ...missing("LANs", lans.kept.length, report.lans.length),
    ...missing("attachments", attachments.kept.length, report.attachments.length),
    ...report.problems.map(fitCondition),
  ], NODE_PROBLEMS_MAX);
  return {
    version: clip(report.version, VERSION_MAX),
    ...(lans.kept.length === 0 ? {} : { lans: lans.kept }),
    ...(attachments.kept.length === 0 ? {} : { attachments: attachments.kept }),
    attached: report.attached,
    ...(unattached.length === 0 ? {} : { unattached }),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

/** Those that something is attached to come first: their deletion waits for what is said here. */
function cutLans(lans: readonly LanOnNode[]) {
  const options = {
    most: NODE_LANS_MAX,
    bytes: BYTES_MAX / 2,
    bytesOf: (lan: LanOnNode) => bytesOf(lan) + MANAGED_BYTES,
  };
  const all = takeWithin(lans, options);
  if (all.kept.length === lans.length) return all;
  const inUse = lans.filter(({ attached }) => attached > 0);
  const idle = lans.filter(({ attached }) => attached === 0);
  const { kept, bytes } = takeWithin([...inUse, ...idle], options);
  const chosen = new Set(kept);
  return { kept: lans.filter((lan) => chosen.has(lan)), bytes };
}

interface Room<T> {
  readonly most: number;
  readonly bytes: number;
  readonly bytesOf: (item: T) => number;
}

/** The first of `items`, as many as there is room for. */
function takeWithin<T>(items: readonly T[], { most, bytes: room, bytesOf }: Room<T>) {
  let bytes = 0;
  let count = 0;
  for (; count < items.length && count < most; count++) {
    const more = bytesOf(items[count]!);
    if (bytes + more > room) break;
    bytes += more;
  }
  return { kept: items.slice(0, count), bytes };
}

/** Nearly: what is not ASCII takes more, and the limits leave room for that. */
function bytesOf(item: object): number {
  return JSON.stringify(item).length + 1;
}

function missing(what: string, kept: number, all: number): Condition[] {
  if (kept === all) return [];
  return [{
    reason: "ReportCut",
    message:
      `This node has ${all} ${what} to tell of and room for ${kept}; the counts are exact, and \`k8slan status\` on the node shows all`,
  }];
}

function fitLan(lan: LanOnNode): LanOnNode {
  const { conditions, ...rest } = lan;
  if (conditions === undefined) return rest;
  return { ...rest, conditions: cutConditions(conditions.map(fitCondition), NODE_CONDITIONS_MAX) };
}

function fitAttachment({ pod, ...rest }: AttachmentOnNode): AttachmentOnNode {
  const containerID = clip(rest.containerID, CONTAINER_MAX);
  if (pod === undefined) return { ...rest, containerID };
  // CNI allows a longer one than Kubernetes ever makes.
  const { uid, ...names } = pod;
  const known = uid === undefined ? {} : { uid: clip(uid, UID_MAX) };
  return { ...rest, containerID, pod: { ...names, ...known } };
}

function fitCondition({ reason, message }: Condition): Condition {
  const word = /^[A-Za-z][A-Za-z0-9]*$/.test(reason) ? reason : "Problem";
  return { reason: clip(word, REASON_MAX), message: clip(message, MESSAGE_MAX) };
}

function cutConditions(conditions: readonly Condition[], most: number): readonly Condition[] {
  if (conditions.length <= most) return conditions;
  const kept = conditions.slice(0, most - 1);
  const more = conditions.length - kept.length;
  return [...kept, { reason: "MoreConditions", message: `${more} more; see \`k8slan status\`` }];
}

/**
 * `text` in at most `most` characters. Half of a pair of surrogates, which the API server would
 * store as something else, never comes out.
 */
export function clip(text: string, most: number): string {
  if (text.length <= most) return text.toWellFormed();
  return text.slice(0, most).replace(/[\ud800-\udbff]$/, "").toWellFormed();
}
