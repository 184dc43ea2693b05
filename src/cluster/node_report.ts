/** The agent's parts → what its LANNode object says. Reads memory alone, and no kernel. */

import type { Attachment } from "../agent/attachment.ts";
import type { Attachments } from "../agent/attachments.ts";
import { isDeleting, type KnownLan, type LanRegistry } from "../agent/lan_registry.ts";
import type { Prospect } from "../agent/underlay_survey.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import type {
  AttachmentOnNode,
  LanNodeStatus,
  LanOnNode,
  ProbeOnNode,
  UnattachedOnNode,
} from "../api/lan_node.ts";
import { markId } from "../plan/mark.ts";
import { version } from "../version.ts";
import { cutReport } from "./report_limits.ts";

export interface ReportSources {
  readonly registry: Pick<LanRegistry, "all">;
  readonly attachments: Pick<Attachments, "all">;
  /** What the last look at the LAN found, by its id in marks. */
  readonly conditions: (lanId: string) => readonly Condition[];
  /** What is known of the other nodes, by the LAN's id in marks. */
  readonly probe?: (lanId: string) => ProbeOnNode | undefined;
  /** How a LAN would fare here; undefined when it names no underlay device for this node. */
  readonly prospect: (lan: Lan) => Prospect | undefined;
  /** Pods that hold a spoke's device and are not attached to it. */
  readonly unattached?: () => readonly UnattachedOnNode[];
  /** What is wrong with no LAN in particular. */
  readonly problems: () => readonly Condition[];
}

/** The status, always in the same order, within the limits of its schema; counts are exact. */
export function lanNodeStatus(sources: ReportSources): LanNodeStatus {
  const held = Map.groupBy(sources.attachments.all(), ({ lanId }) => lanId);
  const uids = new Map<string, string>();
  const lans: LanOnNode[] = [];
  for (const known of sources.registry.all()) {
    const { uid } = known.lan.metadata;
    const lanId = markId(uid);
    uids.set(lanId, uid);
    const reported = lanOnNode(sources, known, lanId, held.get(lanId)?.length ?? 0);
    if (reported !== undefined) lans.push(reported);
  }
  for (const [lanId, attachments] of held) {
    if (!uids.has(lanId)) lans.push(orphanOnNode(lanId, attachments));
  }
  const attachments = [...held.values()].flat()
    .map((attachment) => attachmentOnNode(attachment, uids.get(attachment.lanId)));
  return cutReport({
    version,
    lans: lans.toSorted(by(({ namespace, name, uid }) => [namespace, name, uid])),
    attachments: attachments.toSorted(
      by(({ lanUid, spoke = "", containerID, ifname }) => [lanUid, spoke, containerID, ifname]),
    ),
    attached: attachments.length,
    unattached: sources.unattached?.() ?? [],
    problems: sources.problems(),
  });
}

/** Undefined for a LAN of which there is nothing to be said here. */
function lanOnNode(
  sources: ReportSources,
  { lan, verdict }: KnownLan,
  lanId: string,
  attached: number,
): LanOnNode | undefined {
  const { namespace, name, uid } = lan.metadata;
  const found = sources.conditions(lanId);
  const prospect = sources.prospect(lan);
  const conditions: Condition[] = [...found];
  if (!verdict.accepted) {
    // The LAN itself says so; of a node it is worth telling only where it is in use all the same.
    if (attached > 0) conditions.unshift({ reason: verdict.reason, message: verdict.message });
  } else if (attached > 0 || !isDeleting(lan)) {
    const reasons = new Set(found.map(({ reason }) => reason));
    conditions.push(...prospect?.conditions.filter(({ reason }) => !reasons.has(reason)) ?? []);
  }
  if (attached === 0 && conditions.length === 0) return undefined;
  const isPeer = lan.spec.underlay === "unicast" && attached > 0;
  const probe = attached === 0 ? undefined : sources.probe?.(lanId);
  return {
    ...{ namespace, name, uid, attached, ready: conditions.length === 0 },
    ...(isPeer && prospect?.vtep !== undefined ? { vtep: prospect.vtep } : {}),
    ...(prospect === undefined ? {} : { underlay: prospect.underlay, mtu: prospect.mtu }),
    ...(probe === undefined ? {} : { probe }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** A LAN that is configured no more, but still in use. */
function orphanOnNode(lanId: string, attachments: readonly Attachment[]): LanOnNode {
  const text = attachments[0]?.lan ?? lanId;
  const slash = text.indexOf("/");
  return {
    namespace: slash > 0 ? text.slice(0, slash) : "unknown",
    name: text.slice(slash + 1),
    uid: lanId,
    attached: attachments.length,
    ready: false,
    conditions: [{
      reason: "Orphaned",
      message:
        "This LAN is no longer configured; it is kept for what is attached and goes with the last detach",
    }],
  };
}

function attachmentOnNode(attachment: Attachment, uid: string | undefined): AttachmentOnNode {
  const { lanId, spoke, attach, ifname, containerId, details } = attachment;
  const pod = details?.pod;
  return {
    lanUid: uid ?? lanId,
    ...(spoke === undefined ? {} : { spoke }),
    ...{ attach, ifname, containerID: containerId },
    ...(details === undefined ? {} : { mac: details.mac }),
    ...(pod === undefined ? {} : { pod }),
  };
}

/** Compares by one word after the other, whatever the language of the machine. */
function by<T>(words: (item: T) => readonly string[]): (one: T, other: T) => number {
  return (one, other) => {
    const [left, right] = [words(one), words(other)];
    for (const [at, word] of left.entries()) {
      const against = right[at] ?? "";
      if (word !== against) return word < against ? -1 : 1;
    }
    return 0;
  };
}
