/** What the leader does: works on whatever changes, and on everything once at the start. */

import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { WorkQueue } from "../base/work_queue.ts";
import { EventRecorder } from "../kube/event_recorder.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { keyOf, keyText } from "../kube/objects.ts";
import { type Reconcile, runReconciler } from "../kube/reconcile.ts";
import type {
  LanNodeObject,
  LanObject,
  Namespace,
  NetworkAttachmentDefinition,
  Node,
} from "../kube/resources.ts";
import { type AgentPod, isSameAgent } from "./agent_pods.ts";
import type { ClusterView, ViewListener } from "./cluster_view.ts";
import type { Counters } from "./counters.ts";
import { LanNodeCare } from "./lan_node_care.ts";
import type { LauncherPod } from "./launcher_pods.ts";
import { LanReconciler } from "./lan_reconciler.ts";
import { changedLans, isNodeGone, reportedLans } from "./lan_report.ts";
import { isAsWanted, lanUidOf, wantedNetwork } from "./networks.ts";
import { isSameReadiness } from "./node_readiness.ts";
import { StrayNetworks } from "./stray_networks.ts";
import { UnattachedPods } from "./unattached_pods.ts";

export interface LeadingOptions {
  readonly view: ClusterView;
  /** The leader's. */
  readonly api: KubeApi;
  readonly counters: Counters;
  /** Of this process, for events. */
  readonly identity: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly date?: () => Date;
}

/**
 * LANs worked on at once: one with thousands of spokes takes one of them. Few enough that whoever
 * applies many of them, and the agents, are not held up by definitions being written.
 */
const LAN_WORKERS = 4;
/** Everything is looked at anew so often, whatever was or wasn't told. */
const RESYNC_MS = 300_000;

export class Leading implements ViewListener {
  readonly #options: LeadingOptions;
  readonly #lans: WorkQueue;
  readonly #lanNodes: WorkQueue;
  readonly #strays: WorkQueue;
  /** Nodes with pods to be told. */
  readonly #unattached: WorkQueue;
  readonly #reconciler: LanReconciler;
  readonly #recorder: EventRecorder;

  constructor(options: LeadingOptions) {
    const { view, api, counters, identity, log, clock = systemClock, date } = options;
    this.#options = options;
    const backoff = { firstMs: 250, mostMs: 30_000 };
    this.#lans = new WorkQueue({ clock, backoff });
    this.#lanNodes = new WorkQueue({ clock, backoff });
    this.#strays = new WorkQueue({ clock, backoff });
    this.#unattached = new WorkQueue({ clock, backoff });
    this.#recorder = new EventRecorder({
      ...{ api, log, clock, controller: "lan.k8slan.io/controller", instance: identity },
      ...(date === undefined ? {} : { date }),
    });
    this.#reconciler = new LanReconciler({
      ...{ view, api, counters, clock },
      record: (object, text) => this.#recorder.record(object, text),
      affected: (key) => this.#lans.add(key),
      ...(date === undefined ? {} : { date }),
    });
  }

  get queueLength(): number {
    return this.#lans.size;
  }

  /** Works until `signal` fires and what is under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { view, api, log, clock = systemClock } = this.#options;
    const ignore = view.listen(this);
    this.#addAll();
    const care = new LanNodeCare({ view, api, log, clock });
    const strays = new StrayNetworks({ view, api, log });
    const unattached = new UnattachedPods({
      ...{ view, api },
      record: (object, text) => this.#recorder.record(object, text),
    });
    const works: readonly [WorkQueue, Reconcile, number][] = [
      [
        this.#lans,
        this.#counted((key, signal) => this.#reconciler.reconcile(key, signal)),
        LAN_WORKERS,
      ],
      [this.#lanNodes, (name, signal) => care.reconcile(name, signal), 2],
      [this.#strays, (key, signal) => strays.reconcile(key, signal), 2],
      [this.#unattached, (name, signal) => unattached.reconcile(name, signal), 1],
    ];
    try {
      await Promise.all([
        ...works.map(([queue, reconcile, workers]) =>
          runReconciler({ queue, reconcile, workers, signal, log, clock })
        ),
        this.#recorder.run(signal),
        this.#resync(signal, clock),
      ]);
    } finally {
      ignore();
    }
  }

  lan(before: LanObject | undefined, after: LanObject | undefined): void {
    const object = after ?? before;
    if (object !== undefined) this.#lans.add(keyText(keyOf(object)));
    if (before !== undefined && before.metadata.uid !== after?.metadata.uid) {
      const { uid } = before.metadata;
      this.#reconciler.forget(uid);
      for (const network of this.#options.view.networksByLan.get(uid)) this.#addStray(network);
    }
  }

  lanNode(before: LanNodeObject | undefined, after: LanNodeObject | undefined): void {
    const object = after ?? before;
    if (object !== undefined) this.#lanNodes.add(object.metadata.name);
    for (const one of [before, after]) this.#addUnattached(one);
    for (const uid of changedLans(before, after)) this.#addLan(uid);
  }

  node(before: Node | undefined, after: Node | undefined): void {
    if (
      before?.metadata.uid === after?.metadata.uid && isNodeGone(before) === isNodeGone(after) &&
      isSameReadiness(before, after)
    ) return; // a heartbeat
    const name = (after ?? before)?.metadata.name;
    if (name === undefined) return;
    this.#lanNodes.add(name);
    this.#addLansOn(name);
  }

  namespace(before: Namespace | undefined, after: Namespace | undefined): void {
    if (isUsable(before) === isUsable(after) && before?.metadata.uid === after?.metadata.uid) {
      return;
    }
    const name = (after ?? before)?.metadata.name ?? "";
    for (const lan of this.#options.view.lansByNamespace.get(name)) {
      this.#lans.add(keyText(keyOf(lan)));
    }
  }

  network(
    before: NetworkAttachmentDefinition | undefined,
    after: NetworkAttachmentDefinition | undefined,
  ): void {
    const { view } = this.#options;
    const object = after ?? before;
    if (object === undefined) return;
    const [was, is] = [before, after].map((one) => one === undefined ? undefined : lanUidOf(one));
    if (was !== undefined && was !== is) this.#addLan(was);
    if (after === undefined) {
      // Others may have waited for the name.
      for (const lan of view.lansByNamespace.get(object.metadata.namespace ?? "")) {
        const validation = view.acceptance.validation(lan);
        if ("lan" in validation && wantedNetwork(validation.lan, keyOf(object)) !== undefined) {
          this.#lans.add(keyText(keyOf(lan)));
        }
      }
    } else if (is !== undefined) {
      if (!view.isLiving(is)) this.#addStray(after);
      else if (!this.#isWanted(after, is)) this.#addLan(is);
    }
  }

  networksKnown(): void {
    this.#addAll();
  }

  /** The LANs that pods of the same VM are attached to, if it may be that it migrates. */
  launcher(before: LauncherPod | undefined, after: LauncherPod | undefined): void {
    const { view } = this.#options;
    const pods = [before, after].flatMap((pod) => {
      if (pod?.vmi === undefined) return pod ?? [];
      return [pod, ...view.launchers?.ofVmi(pod.metadata.namespace ?? "", pod.vmi) ?? []];
    });
    if (pods.every(({ migration }) => migration === undefined)) return;
    const uids = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const { status } of view.lanNodes.values()) {
      for (const { lanUid, pod } of status?.attachments ?? []) {
        if (pod?.uid !== undefined && uids.has(pod.uid)) this.#addLan(lanUid);
      }
    }
  }

  agent(before: AgentPod | undefined, after: AgentPod | undefined): void {
    const { size } = this.#options.view.agentPods;
    // With the first one, nodes without one are told of, and with the last one none any more.
    if ((before === undefined && size === 1) || size === 0) this.#addAll();
    if (isSameAgent(before, after)) return;
    for (const node of new Set([before?.node, after?.node])) {
      if (node !== undefined) this.#addLansOn(node);
    }
  }

  /** Those of the first list were told of before they counted. */
  podsKnown(): void {
    this.#addAll();
  }

  #addAll(): void {
    const { lans, lanNodes, networks } = this.#options.view;
    for (const object of lans.values()) this.#lans.add(keyText(keyOf(object)));
    for (const object of lanNodes.values()) {
      this.#lanNodes.add(object.metadata.name);
      this.#addUnattached(object);
    }
    for (const object of networks.values()) {
      const lanUid = lanUidOf(object);
      if (lanUid !== undefined && !this.#options.view.isLiving(lanUid)) this.#addStray(object);
    }
  }

  #addLansOn(node: string): void {
    const lanNode = this.#options.view.lanNodes.get({ name: node });
    if (lanNode === undefined) return;
    for (const uid of reportedLans(lanNode)) this.#addLan(uid);
  }

  #addLan(lanUid: string): void {
    const lan = this.#options.view.lansByUid.get(lanUid)[0];
    if (lan !== undefined) this.#lans.add(keyText(keyOf(lan)));
  }

  #addUnattached(object: LanNodeObject | undefined): void {
    if (object?.status?.unattached !== undefined) this.#unattached.add(object.metadata.name);
  }

  #addStray(object: NetworkAttachmentDefinition): void {
    this.#strays.add(keyText(keyOf(object)));
  }

  /** Whether it is just what was made: to be told of one's own doings would be work for nothing. */
  #isWanted(object: NetworkAttachmentDefinition, lanUid: string): boolean {
    const { view } = this.#options;
    const lan = view.lansByUid.get(lanUid)[0];
    if (lan === undefined || view.acceptance.verdict(lan)?.kind !== "accepted") return false;
    if (lan.metadata.deletionTimestamp !== undefined) return false;
    const validation = view.acceptance.validation(lan);
    if (!("lan" in validation)) return false;
    const wanted = wantedNetwork(validation.lan, keyOf(object));
    return wanted !== undefined && isAsWanted(object, wanted);
  }

  #counted(reconcile: Reconcile): Reconcile {
    const { counters, clock = systemClock } = this.#options;
    return async (key, signal) => {
      const began = clock.now();
      counters.reconciles++;
      try {
        return await reconcile(key, signal);
      } catch (error) {
        if (!signal.aborted) counters.failures++;
        throw error;
      } finally {
        counters.reconcileSeconds += (clock.now() - began) / 1_000;
      }
    };
  }

  async #resync(signal: AbortSignal, clock: Clock): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(RESYNC_MS, signal);
      if (!signal.aborted) this.#addAll();
    }
  }
}

function isUsable(namespace: Namespace | undefined): boolean {
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined;
}
