/** Nodes that are not ready: nobody knows what became of that which was attached there. */

import { quoted, textList } from "../base/text_list.ts";
import type { Node } from "../kube/resources.ts";
import type { HoldOptions } from "./hold_watch.ts";

/** Reason of condition `NodesReady` for it. */
export const NODE_NOT_READY = "NodeNotReady";

export interface NotReadyNode {
  readonly node: string;
  /** Whether nothing is heard of it any more; otherwise it says itself that it is not ready. */
  readonly isSilent: boolean;
  /** RFC 3339. */
  readonly since?: string;
}

type NodeStatus = NonNullable<Node["status"]>;

function readyOf(status: NodeStatus | undefined) {
  return status?.conditions?.find(({ type }) => type === "Ready");
}

/** The one condition that counts here, without what is told anew with each heartbeat. */
export function briefStatus(status: NodeStatus | undefined): NodeStatus {
  const ready = readyOf(status);
  if (ready === undefined) return {};
  const { type, status: is, lastTransitionTime } = ready;
  const since = lastTransitionTime === undefined ? {} : { lastTransitionTime };
  return { conditions: [{ type, status: is, ...since }] };
}

/** Undefined for a node that is ready, that is gone, or of which Kubernetes has not said yet. */
export function notReady(node: Node | undefined): NotReadyNode | undefined {
  const ready = readyOf(node?.status);
  if (node === undefined || ready === undefined || ready.status === "True") return undefined;
  const { status, lastTransitionTime: since } = ready;
  return {
    ...{ node: node.metadata.name, isSilent: status === "Unknown" },
    ...(since === undefined ? {} : { since }),
  };
}

/** Whether the same would be said of both states of a node. */
export function isSameReadiness(one: Node | undefined, other: Node | undefined): boolean {
  const [before, after] = [notReady(one), notReady(other)];
  return before?.isSilent === after?.isSilent && before?.since === after?.since;
}

/**
 * A kubelet that starts again may say for some seconds that its node is not ready. That nothing is
 * heard of a node, Kubernetes says only after it has waited for most of a minute.
 */
export const NOT_READY_HOLD: HoldOptions<NotReadyNode> = {
  ...{ reason: NODE_NOT_READY, holdMs: 15_000 },
  keyOf: ({ node }) => node,
  isSure: ({ isSilent }) => isSilent,
};

/** What it means and what to do, for people. */
export function notReadyText(nodes: readonly NotReadyNode[]): string {
  const texts = nodes.map(({ node, ...why }) => `${quoted([node])}${whyText(why)}`);
  const list = textList(texts, { most: 5 });
  const [first] = nodes;
  return nodes.length === 1
    ? `Node ${list} is not ready: what its agent said last may be out of date; see ` +
      `\`kubectl describe node ${first?.node}\`; if it is gone for good, delete the node, and ` +
      "what was attached there no longer counts"
    : `Nodes ${list} are not ready: what their agents said last may be out of date; see ` +
      "`kubectl get nodes`; delete the nodes that are gone for good, and what was attached there " +
      "no longer counts";
}

function whyText({ isSilent, since }: Omit<NotReadyNode, "node">): string {
  const texts = [
    ...(isSilent ? ["nothing heard of it"] : []),
    ...(since === undefined ? [] : [`since ${since}`]),
  ];
  return texts.length === 0 ? "" : ` (${texts.join(" ")})`;
}
