/** `status` of a LAN, from what is known of it: pure, and the same again as long as nothing changes. */

import {
  type LanCondition,
  type LanStatus,
  MESSAGE_MAX,
  type Migration,
} from "../api/lan_status.ts";
import { AGENT_NOT_READY, noAgentText } from "./agent_pods.ts";
import { type ConnectedSaying, connectedSaying } from "./connected.ts";
import { type LanReport, type NodeReport, userText, type Workload } from "./lan_report.ts";
import { networksSaying, type NetworksState, type Saying } from "./networks_state.ts";
import { NODE_NOT_READY, type NotReadyNode, notReadyText } from "./node_readiness.ts";
import { type SharedSpoke, sharedText, SPOKE_SHARED } from "./shared_spokes.ts";
import { counted, cut, quoted, textList } from "../base/text_list.ts";

export type LanVerdict =
  | { readonly kind: "accepted"; readonly ns: string; readonly vni: number }
  | { readonly kind: "conflict"; readonly message: string }
  | { readonly kind: "invalid"; readonly message: string };

export interface LanFacts {
  readonly generation?: number;
  /** Absent where the spec can't be read. */
  readonly spokes?: number;
  readonly verdict: LanVerdict;
  readonly networks: NetworksState;
  readonly report: LanReport;
  /** Those that stay so. */
  readonly shared: readonly SharedSpoke[];
  /** Of the nodes that something is attached on, those that stay so. */
  readonly notReady: readonly NotReadyNode[];
  /** And those whose agents stay away, with the namespace of these. */
  readonly noAgent: { readonly nodes: readonly string[]; readonly namespace: string };
  /** Absent while the VMs' pods can't be read: what was said last holds then. */
  readonly migrations?: readonly Migration[];
  readonly isDeleting: boolean;
}

/** Workloads that are named, and nodes. */
const WORKLOADS_MAX = 5;
const NODES_MAX = 10;
const NODE_CONDITIONS_MAX = 3;

/** The status that follows `before`; `now` is in RFC 3339. */
export function lanStatus(
  facts: LanFacts,
  before: LanStatus | undefined,
  now: string,
): LanStatus {
  const { generation, spokes, report, migrations = before?.migrations ?? [] } = facts;
  const sayings = lanSayings(facts, before);
  const conditions = Object.entries(sayings).map(([type, saying]): LanCondition => {
    const old = before?.conditions?.find((condition) => condition.type === type);
    const { status, reason, message } = saying;
    return {
      ...{ type, status, reason, message: cut(message, MESSAGE_MAX) },
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions,
    ...(spokes === undefined ? {} : { spokes }),
    attached: report.attached,
    nodes: report.nodes.filter(({ attached }) => attached > 0).length,
    ...(migrations.length === 0 ? {} : { migrations }),
  };
}

type ConditionType = "Accepted" | "NetworksReady" | "NodesReady" | "InUse" | "Connected" | "Ready";

function lanSayings(
  facts: LanFacts,
  before: LanStatus | undefined,
): Readonly<Record<ConditionType, Saying | ConnectedSaying>> {
  const { verdict, networks, report } = facts;
  const Accepted = acceptedSaying(verdict, facts.spokes);
  const known = before?.conditions?.find(({ type }) => type === "NetworksReady");
  const NetworksReady = networks.kind === "unknown" && known !== undefined
    ? sayingOf(known) // what was true last, rather than a change that only says we don't know
    : networksSaying(networks);
  const NodesReady = nodesSaying(facts);
  const InUse = useSaying(report);
  // Not a part of Ready, which is about what is ours to make: the underlay is others'.
  const Connected = connectedSaying(report.nodes);
  const parts = { Accepted, NetworksReady, NodesReady };
  const Ready = facts.isDeleting ? deletingSaying(facts) : readySaying(Object.values(parts));
  return { ...parts, InUse, Connected, Ready };
}

function sayingOf({ status, reason, message }: LanCondition): Saying {
  return { status: status === "True" ? "True" : "False", reason, message };
}

function acceptedSaying(verdict: LanVerdict, spokes = 0): Saying {
  switch (verdict.kind) {
    case "accepted":
      return {
        status: "True",
        reason: "Accepted",
        message: `ns "${verdict.ns}", vni ${verdict.vni} and ${counted(spokes, "spoke")} are ` +
          "this LAN's alone",
      };
    case "conflict":
      return { status: "False", reason: "Conflict", message: verdict.message };
    case "invalid":
      return { status: "False", reason: "Invalid", message: verdict.message };
  }
}

function nodesSaying(facts: LanFacts): Saying {
  const { shared, report: { nodes, attached } } = facts;
  const clash = mtuClash(nodes);
  const degraded = [
    ...nodes.filter(({ ready }) => !ready).map(nodeText),
    ...(clash === undefined ? [] : [clash]),
  ];
  const faults = [
    // First, for it is what nobody would find by looking at the nodes.
    ...shared.map((spoke) => ({ reason: SPOKE_SHARED, text: sharedText(spoke) })),
    ...awayFaults(facts),
    ...degraded.map((text) => ({ reason: "Degraded", text })),
  ];
  const [first] = faults;
  if (first !== undefined) {
    const texts = faults.map(({ text }) => text);
    const message = textList(texts, { most: NODES_MAX, chars: 7_000, separator: "; " });
    return { status: "False", reason: first.reason, message };
  }
  const notes = nodes.filter(({ conditions = [] }) => conditions.length > 0).map(nodeText);
  const note = notes.length === 0
    ? ""
    : `; ${textList(notes, { most: NODES_MAX, chars: 7_000, separator: "; " })}`;
  if (attached === 0) {
    const message = `Nothing is attached: a node makes the LAN for its first workload${note}`;
    return { status: "True", reason: "NothingAttached", message };
  }
  const used = nodes.filter((node) => node.attached > 0).length;
  const message = `${counted(attached, "workload")} on ${counted(used, "node")}${note}`;
  return { status: "True", reason: "Ready", message };
}

/** Of nodes whose last word may hold no longer. */
function awayFaults({ notReady, noAgent }: LanFacts): { reason: string; text: string }[] {
  const { nodes, namespace } = noAgent;
  return [
    ...(notReady.length > 0 ? [{ reason: NODE_NOT_READY, text: notReadyText(notReady) }] : []),
    ...(nodes.length > 0 ? [{ reason: AGENT_NOT_READY, text: noAgentText(nodes, namespace) }] : []),
  ];
}

function nodeText({ node, conditions = [] }: NodeReport): string {
  const texts = conditions.map(({ reason, message }) => `${reason}: ${message}`);
  const why = textList(texts, { most: NODE_CONDITIONS_MAX, chars: 2_000, separator: "; " });
  return `node "${node}": ${why === "" ? "NotReady: its agent gives no reason" : why}`;
}

/** Frames that fit on one node would not on the other. Undefined if there is no such thing. */
function mtuClash(nodes: readonly NodeReport[]): string | undefined {
  const byMtu = new Map<number, string[]>();
  for (const { node, mtu, ready, attached } of nodes) {
    if (mtu === undefined || !ready || attached === 0) continue;
    byMtu.set(mtu, [...byMtu.get(mtu) ?? [], node]);
  }
  if (byMtu.size < 2) return undefined;
  const sizes = [...byMtu].sort(([one], [other]) => one - other);
  const texts = sizes.map(([mtu, names]) =>
    `${mtu} on ${counted(names.length, "node")} (${textList(quoted(names), { most: 3 })})`
  );
  return `MtuDiffers: the LAN's MTU is ${textList(texts)}; set spec.mtu to ${sizes[0]?.[0]}, or ` +
    "give the nodes' underlays one MTU";
}

function useSaying({ workloads, attached }: LanReport): Saying {
  return attached === 0
    ? { status: "False", reason: "NothingAttached", message: "Nothing is attached" }
    : { status: "True", reason: "Attached", message: usersText(workloads, attached) };
}

function usersText(workloads: readonly Workload[], attached: number): string {
  return textList(workloads.map(workloadText), { most: WORKLOADS_MAX, total: attached });
}

function workloadText(workload: Workload): string {
  const { node, spoke } = workload;
  const which = spoke === undefined ? "" : ` (spoke "${spoke}")`;
  return `${userText(workload)}${which} on node "${node}"`;
}

function deletingSaying(facts: LanFacts): Saying {
  const { report: { workloads, attached } } = facts;
  const why = awayFaults(facts).map(({ text }) => `; ${text}`).join("");
  const message = attached === 0
    ? "The LAN is being deleted"
    : `The LAN goes when nothing is attached to it any more; it waits for ` +
      `${counted(attached, "workload")}: ${usersText(workloads, attached)}${why}`;
  return { status: "False", reason: "Deleting", message };
}

/** The first that is wrong speaks for the whole. */
function readySaying(parts: readonly Saying[]): Saying {
  const fault = parts.find(({ status }) => status !== "True");
  if (fault !== undefined) return { ...fault, status: "False" };
  return { status: "True", reason: "Ready", message: parts.at(-1)?.message ?? "" };
}

/** Whether there is nothing to write. */
export function isSameStatus(one: LanStatus | undefined, other: LanStatus): boolean {
  return one !== undefined && canonical(one) === canonical(other);
}

function canonical(status: LanStatus): string {
  const { conditions = [], observedGeneration, spokes, attached, nodes, ...others } = status;
  const { migrations = [], ...rest } = others;
  const list = conditions.map((condition) => {
    const { type, status, reason, message, lastTransitionTime, observedGeneration } = condition;
    return [type, status, reason, message, lastTransitionTime, observedGeneration];
  });
  const moves = migrations.map(({ spoke, from, to }) => [
    ...[spoke, from.node, from.namespace, from.name, from.uid],
    ...[to.node, to.namespace, to.name, to.uid],
  ]);
  return JSON.stringify([list, observedGeneration, spokes, attached, nodes, moves, rest]);
}
