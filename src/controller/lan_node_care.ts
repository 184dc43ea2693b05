/** LANNodes belong to their Nodes, and go with them: what a dead node said last must block nothing. */

import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { isConflict } from "../kube/kube_error.ts";
import type { OwnerReference } from "../kube/objects.ts";
import type { ReconcileResult } from "../kube/reconcile.ts";
import { LAN_NODES, type LanNodeObject, type Node, NODES } from "../kube/resources.ts";
import type { ClusterView } from "./cluster_view.ts";
import { isNodeGone } from "./lan_report.ts";

export interface LanNodeCareOptions {
  readonly view: ClusterView;
  /** The leader's. */
  readonly api: KubeApi;
  readonly log: Log;
  readonly clock?: Clock;
}

/** An agent that lives on although its node is said to be dead makes its LANNode anew. */
const DELETE_AGAIN_MS = 60_000;
const DEADLINE_MS = 10_000;

export class LanNodeCare {
  readonly #options: LanNodeCareOptions;
  readonly #clock: Clock;
  readonly #deletedAt = new Map<string, number>();

  constructor(options: LanNodeCareOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** To be run by a reconciler, with the name of a node; see `Reconcile`. */
  async reconcile(name: string, signal: AbortSignal): Promise<ReconcileResult | void> {
    const { view, api } = this.#options;
    const lanNode = view.lanNodes.get({ name });
    const node = view.nodes.get({ name });
    if (lanNode === undefined) {
      if (!isNodeGone(node)) this.#deletedAt.delete(name);
      return;
    }
    const call = { signal, deadlineMs: DEADLINE_MS };
    if (node === undefined) {
      // The two watches don't keep step: the node may be younger than what is known.
      if (await api.get(NODES, { name }, call) === undefined) {
        await this.#delete(lanNode, "its node is gone", signal);
      }
    } else if (isNodeGone(node)) {
      const waitMs = (this.#deletedAt.get(name) ?? -Infinity) + DELETE_AGAIN_MS - this.#clock.now();
      if (waitMs > 0) return { requeueAfterMs: waitMs };
      await this.#delete(lanNode, "its node is out of service", signal);
    } else {
      this.#deletedAt.delete(name);
      await this.#own(lanNode, node, signal);
    }
  }

  async #delete({ metadata }: LanNodeObject, why: string, signal: AbortSignal): Promise<void> {
    const { api, log } = this.#options;
    const { name, uid } = metadata;
    try {
      await api.delete(LAN_NODES, { name }, { uid, signal, deadlineMs: DEADLINE_MS });
    } catch (error) {
      if (!isConflict(error)) throw error; // another one by now, of which the watch tells
    }
    this.#deletedAt.set(name, this.#clock.now());
    log.info("Deleted a LANNode", { name, why });
  }

  /** The node's deletion takes the LANNode along, with or without a controller. */
  async #own(lanNode: LanNodeObject, node: Node, signal: AbortSignal): Promise<void> {
    const { name, resourceVersion, ownerReferences = [] } = lanNode.metadata;
    const { uid } = node.metadata;
    if (ownerReferences.some((owner) => owner.uid === uid)) return;
    const owner: OwnerReference = { apiVersion: "v1", kind: "Node", name, uid };
    const others = ownerReferences.filter(({ kind }) => kind !== "Node");
    const body = { metadata: { resourceVersion, ownerReferences: [...others, owner] } };
    const call = { signal, deadlineMs: DEADLINE_MS };
    await this.#options.api.patch(LAN_NODES, { name }, { type: "merge", body }, call);
  }
}
