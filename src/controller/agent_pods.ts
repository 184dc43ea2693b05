/** The agents' pods: a node whose agent does not work attaches nothing, and tells of nothing. */

import { quoted, textList } from "../base/text_list.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { Resource } from "../kube/resource.ts";
import type { HoldOptions } from "./hold_watch.ts";
import { PODS } from "../kube/resources.ts";
import { at, textAt } from "./pod_fields.ts";

/** Reason of condition `NodesReady` for it. */
export const AGENT_NOT_READY = "AgentNotReady";

/** Selects, in the namespace of the product, the pods of its DaemonSet. */
export const AGENTS_SELECTOR = "app.kubernetes.io/name=k8slan,app.kubernetes.io/component=agent";

export interface AgentPod extends KubeObject {
  /** As soon as it has one. */
  readonly node?: string;
  readonly isReady: boolean;
}

/** To be watched with `AGENTS_SELECTOR`. */
export const AGENT_PODS: Resource<AgentPod> = { ...PODS, decode: decodeAgent };

function decodeAgent(value: unknown): AgentPod {
  const { apiVersion, kind, metadata } = PODS.decode(value);
  const { name, namespace = "", uid, resourceVersion, creationTimestamp } = metadata;
  const node = textAt(value, "spec", "nodeName");
  const conditions = at(at(value, "status"), "conditions");
  return {
    ...{ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion, creationTimestamp } },
    ...(node === undefined ? {} : { node }),
    isReady: Array.isArray(conditions) &&
      conditions.some((condition) =>
        at(condition, "type") === "Ready" && at(condition, "status") === "True"
      ),
  };
}

/** Whether the same would be said of both states of a pod. */
export function isSameAgent(one: AgentPod | undefined, other: AgentPod | undefined): boolean {
  return one?.node === other?.node && one?.isReady === other?.isReady;
}

/** An agent that is updated, or starts again, is back before that. By node. */
export const AGENT_HOLD: HoldOptions<string> = {
  ...{ reason: AGENT_NOT_READY, holdMs: 30_000 },
  keyOf: (node) => node,
};

/** What it means and what to do, for people; `namespace` is the one of the pods. */
export function noAgentText(nodes: readonly string[], namespace: string): string {
  const list = textList(quoted(nodes), { most: 5 });
  const subject = nodes.length === 1
    ? `The agent of node ${list} is not ready`
    : `The agents of nodes ${list} are not ready`;
  return `${subject}: what is attached goes on, but nothing new can be attached there, and what ` +
    `was said of it last may be out of date; see \`kubectl -n ${namespace} get pods -o wide\``;
}
