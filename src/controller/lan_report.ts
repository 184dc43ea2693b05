/** What the agents of all nodes say of one LAN. */

import type { AttachmentOnNode, LanOnNode } from "../api/lan_node.ts";
import type { LanNodeObject, Node } from "../kube/resources.ts";

/** A node that the LAN exists on, or that something is wrong with. */
export interface NodeReport
  extends Pick<LanOnNode, "attached" | "ready" | "mtu" | "probe" | "conditions"> {
  readonly node: string;
}

export interface Workload extends AttachmentOnNode {
  readonly node: string;
}

/** Nodes in the order of their names. */
export interface LanReport {
  readonly nodes: readonly NodeReport[];
  /** Not all of them where a node has very many. */
  readonly workloads: readonly Workload[];
  /** How many there are in all. */
  readonly attached: number;
}

/** `lanNodes` are those of nodes that count; see `isNodeGone()`. */
export function lanReport(lanUid: string, lanNodes: readonly LanNodeObject[]): LanReport {
  const nodes: NodeReport[] = [];
  const workloads: Workload[] = [];
  for (const { metadata: { name: node }, status } of lanNodes.toSorted(byName)) {
    const here = status?.attachments?.filter((attachment) => attachment.lanUid === lanUid) ?? [];
    workloads.push(...here.map((attachment) => ({ ...attachment, node })));
    const entry = status?.lans?.find(({ uid }) => uid === lanUid);
    if (entry === undefined && here.length === 0) continue;
    const { ready = true, mtu, probe, conditions } = entry ?? {};
    nodes.push({
      ...{ node, ready, attached: Math.max(entry?.attached ?? 0, here.length) },
      ...(mtu === undefined ? {} : { mtu }),
      ...(probe === undefined ? {} : { probe }),
      ...(conditions === undefined ? {} : { conditions }),
    });
  }
  return { nodes, workloads, attached: nodes.reduce((sum, { attached }) => sum + attached, 0) };
}

/** Who it is, for people. */
export function userText({ pod, containerID }: Workload): string {
  return pod === undefined
    ? `container "${containerID.slice(0, 12)}"`
    : `pod "${pod.namespace}/${pod.name}"`;
}

/** UIDs of all LANs that the agent speaks of. */
export function reportedLans({ status }: LanNodeObject): ReadonlySet<string> {
  return new Set([
    ...status?.lans?.map(({ uid }) => uid) ?? [],
    ...status?.attachments?.map(({ lanUid }) => lanUid) ?? [],
  ]);
}

/** UIDs of the LANs of which two states of an agent's report, or of none, say different things. */
export function changedLans(
  before: LanNodeObject | undefined,
  after: LanNodeObject | undefined,
): ReadonlySet<string> {
  const [old, now] = [sayings(before), sayings(after)];
  const uids = new Set([...old.keys(), ...now.keys()]);
  return new Set([...uids].filter((uid) => old.get(uid) !== now.get(uid)));
}

/** All that is said of each LAN, as text. */
function sayings(lanNode: LanNodeObject | undefined): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const { lans = [], attachments = [] } = lanNode?.status ?? {};
  for (const lan of lans) texts.set(lan.uid, JSON.stringify(lan));
  for (const attachment of attachments) {
    const { lanUid } = attachment;
    texts.set(lanUid, `${texts.get(lanUid) ?? ""}\n${JSON.stringify(attachment)}`);
  }
  return texts;
}

const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";

/**
 * Whether nothing can run on a node any more: it was removed, or somebody vouches for its being shut
 * down. What its agent said last doesn't count then.
 */
export function isNodeGone(node: Node | undefined): boolean {
  return node === undefined ||
    node.spec?.taints?.some(({ key }) => key === OUT_OF_SERVICE) === true;
}

function byName({ metadata: one }: LanNodeObject, { metadata: other }: LanNodeObject): number {
  return one.name < other.name ? -1 : 1;
}
