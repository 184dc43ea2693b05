/** What the controller knows of the cluster, kept up to date by watches. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi, Selection } from "../kube/kube_api.ts";
import { isNotFound } from "../kube/kube_error.ts";
import { keyOf, type KubeObject } from "../kube/objects.ts";
import { type Resource, resourceText } from "../kube/resource.ts";
import {
  LAN_NODES,
  type LanNodeObject,
  type LanObject,
  LANS,
  type Namespace,
  NAMESPACES,
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
  type Node,
  NODES,
} from "../kube/resources.ts";
import { type Index, Store } from "../kube/store.ts";
import { watchResource } from "../kube/watcher.ts";
import { Acceptance } from "./acceptance.ts";
import { AGENT_PODS, type AgentPod, AGENTS_SELECTOR } from "./agent_pods.ts";
import { LAUNCHER_PODS, type LauncherPod, LAUNCHERS_SELECTOR } from "./launcher_pods.ts";
import { isNodeGone, type LanReport, lanReport, reportedLans } from "./lan_report.ts";
import type { Launchers } from "./migrations.ts";
import { lanUidOf, namespacesOf, OWN_NETWORKS } from "./networks.ts";
import { briefStatus, notReady, type NotReadyNode } from "./node_readiness.ts";

/** The network attachment definitions: not read yet, read, of an unknown kind, or not readable. */
export type NetworksKnown =
  | { readonly state: "pending" | "read" | "no such kind" }
  | { readonly state: "failing"; readonly error: string };

/** One of the two is absent: it was made, or deleted. */
export type Changed<T> = (before: T | undefined, after: T | undefined) => void;

/** Who wants to be told of changes, after they are in the view. */
export interface ViewListener {
  readonly lan: Changed<LanObject>;
  readonly lanNode: Changed<LanNodeObject>;
  readonly node: Changed<Node>;
  readonly namespace: Changed<Namespace>;
  readonly network: Changed<NetworkAttachmentDefinition>;
  readonly launcher: Changed<LauncherPod>;
  /** `networksKnown` is another one now. */
  readonly networksKnown: () => void;
  readonly agent: Changed<AgentPod>;
  /** The VMs' pods, or the agents', have been read. */
  readonly podsKnown: () => void;
}

/** Nodes tell of themselves every few seconds, at length; this is all that matters here. */
const BRIEF_NODES: Resource<Node> = {
  ...NODES,
  decode(value) {
    const { apiVersion, kind, metadata, spec, status } = NODES.decode(value);
    const { name, uid, resourceVersion, creationTimestamp } = metadata;
    const { taints } = spec ?? {};
    return {
      ...{ apiVersion, kind, metadata: { name, uid, resourceVersion, creationTimestamp } },
      spec: taints === undefined ? {} : { taints },
      status: briefStatus(status),
    };
  },
};

export interface ClusterViewOptions {
  readonly api: KubeApi;
  readonly log: Log;
  readonly clock?: Clock;
  /** Where the agents' pods are. */
  readonly namespace: string;
  /** Called when a list or watch ends badly. */
  readonly onTrouble: () => void;
}

/** What is particular about the watch of a kind. */
interface WatchOptions {
  readonly selection?: Selection;
  /** Called when everything that is there has been told. */
  readonly onRead?: () => void;
  /** Called when a list or watch ends badly; whether that is not worth a word. */
  readonly onFailure?: (error: unknown) => boolean;
}

export class ClusterView {
  readonly lans = new Store<LanObject>();
  readonly lanNodes = new Store<LanNodeObject>();
  readonly nodes = new Store<Node>();
  readonly namespaces = new Store<Namespace>();
  /** Those that the controller made; meaningful when `networksKnown` says "read". */
  readonly networks = new Store<NetworkAttachmentDefinition>();
  /** Pods with a VM in them. */
  readonly launcherPods = new Store<LauncherPod>();
  /** What the DaemonSet made; none where agents are run in another way. */
  readonly agentPods = new Store<AgentPod>();
  readonly acceptance = new Acceptance(() => this.lans.values());

  readonly lansByUid: Index<LanObject>;
  /** By each namespace they are offered in. */
  readonly lansByNamespace: Index<LanObject>;
  /** By the UID of each LAN that they speak of. */
  readonly lanNodesByLan: Index<LanNodeObject>;
  readonly networksByLan: Index<NetworkAttachmentDefinition>;
  readonly #launchersByUid: Index<LauncherPod>;
  readonly #launchersByVmi: Index<LauncherPod>;
  readonly #agentsByNode: Index<AgentPod>;

  readonly #options: ClusterViewOptions;
  readonly #listeners = new Set<ViewListener>();
  readonly #networksSettled = Promise.withResolvers<void>();
  readonly #launchersSettled = Promise.withResolvers<void>();
  readonly #agentsSettled = Promise.withResolvers<void>();
  #networksKnown: NetworksKnown = { state: "pending" };

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    this.lansByUid = this.lans.index(({ metadata }) => [metadata.uid]);
    this.lansByNamespace = this.lans.index((object) => {
      const validation = this.acceptance.validation(object);
      return "lan" in validation ? namespacesOf(validation.lan) : [];
    });
    this.lanNodesByLan = this.lanNodes.index((object) => [...reportedLans(object)]);
    this.networksByLan = this.networks.index((object) => {
      const lanUid = lanUidOf(object);
      return lanUid === undefined ? [] : [lanUid];
    });
    this.#launchersByUid = this.launcherPods.index(({ metadata }) => [metadata.uid]);
    this.#launchersByVmi = this.launcherPods.index(({ metadata: { namespace = "" }, vmi }) =>
      vmi === undefined ? [] : [`${namespace}/${vmi}`]
    );
    this.#agentsByNode = this.agentPods.index(({ node }) => node === undefined ? [] : [node]);
  }

  /** Where the agents' pods are. */
  get namespace(): string {
    return this.#options.namespace;
  }

  get networksKnown(): NetworksKnown {
    return this.#networksKnown;
  }

  /** The VMs' pods; undefined until they have been read. */
  get launchers(): Launchers | undefined {
    if (!this.launcherPods.isSynced) return undefined;
    return {
      byUid: (uid) => this.#launchersByUid.get(uid)[0],
      ofVmi: (namespace, vmi) => this.#launchersByVmi.get(`${namespace}/${vmi}`),
    };
  }

  /** Whether everything is known that verdicts and reports are made of. */
  get isSynced(): boolean {
    return [this.lans, this.lanNodes, this.nodes, this.namespaces].every(({ isSynced }) =>
      isSynced
    );
  }

  /**
   * Resolves when `isSynced`, it is known how the network attachment definitions stand, and the pods
   * of VMs and agents were read or could not be.
   */
  get synced(): Promise<unknown> {
    const stores = [this.lans, this.lanNodes, this.nodes, this.namespaces];
    const settled = [this.#networksSettled, this.#launchersSettled, this.#agentsSettled];
    return Promise.all([
      ...stores.map(({ synced }) => synced),
      ...settled.map(({ promise }) => promise),
    ]);
  }

  /** Whether a LAN of that UID exists, being deleted or not. */
  isLiving(lanUid: string): boolean {
    return this.lansByUid.get(lanUid).length > 0;
  }

  /** What the agents of all nodes that count say of a LAN. */
  report(lanUid: string): LanReport {
    const lanNodes = this.lanNodesByLan.get(lanUid);
    return lanReport(
      lanUid,
      lanNodes.filter(({ metadata }) => !isNodeGone(this.nodes.get({ name: metadata.name }))),
    );
  }

  /** Those nodes of a report that something is attached on, and that are not ready. */
  notReady(report: LanReport): readonly NotReadyNode[] {
    return usedNodes(report).flatMap((name) => notReady(this.nodes.get({ name })) ?? []);
  }

  /** Those nodes of a report that something is attached on, and that are ready but have no agent. */
  withoutAgent(report: LanReport): readonly string[] {
    if (!this.agentPods.isSynced || this.agentPods.size === 0) return [];
    return usedNodes(report).filter((name) =>
      notReady(this.nodes.get({ name })) === undefined &&
      !this.#agentsByNode.get(name).some(({ isReady }) => isReady)
    );
  }

  /** Tells `listener` from now on, until what is returned is called. */
  listen(listener: ViewListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Watches until `signal` fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { namespace } = this.#options;
    await Promise.all([
      this.#watch(LANS, this.lans, signal, (before, after) => {
        if (!isSameSpec(before, after)) this.acceptance.changed();
        this.#tell((listener) => listener.lan(before, after));
      }),
      this.#watch(LAN_NODES, this.lanNodes, signal, (before, after) => {
        this.#tell((listener) => listener.lanNode(before, after));
      }),
      this.#watch(BRIEF_NODES, this.nodes, signal, (before, after) => {
        this.#tell((listener) => listener.node(before, after));
      }),
      this.#watch(NAMESPACES, this.namespaces, signal, (before, after) => {
        this.#tell((listener) => listener.namespace(before, after));
      }),
      this.#watch(NETWORK_ATTACHMENT_DEFINITIONS, this.networks, signal, (before, after) => {
        this.#tell((listener) => listener.network(before, after));
      }, {
        selection: { labelSelector: OWN_NETWORKS },
        onRead: () => this.#setNetworksKnown({ state: "read" }),
        onFailure: (error) => {
          this.#networksFailed(isNotFound(error), error);
          return isNotFound(error); // said in the LANs' conditions, as long as it lasts
        },
      }),
      this.#watch(LAUNCHER_PODS, this.launcherPods, signal, (before, after) => {
        this.#tell((listener) => listener.launcher(before, after));
      }, this.#podsOptions(this.#launchersSettled, { labelSelector: LAUNCHERS_SELECTOR })),
      this.#watch(AGENT_PODS, this.agentPods, signal, (before, after) => {
        this.#tell((listener) => listener.agent(before, after));
      }, this.#podsOptions(this.#agentsSettled, { labelSelector: AGENTS_SELECTOR, namespace })),
    ]);
  }

  /** LANs are looked after all the same where pods can't be read. */
  #podsOptions(settled: PromiseWithResolvers<void>, selection: Selection): WatchOptions {
    return {
      selection,
      onRead: () => {
        settled.resolve();
        this.#tell((listener) => listener.podsKnown());
      },
      onFailure: () => {
        settled.resolve();
        return false;
      },
    };
  }

  async #watch<T extends KubeObject>(
    resource: Resource<T>,
    store: Store<T>,
    signal: AbortSignal,
    changed: Changed<T>,
    { selection = {}, onRead, onFailure }: WatchOptions = {},
  ): Promise<void> {
    const { api, log, clock = systemClock, onTrouble } = this.#options;
    let isTroubled = false;
    const events = watchResource(api, resource, {
      ...{ signal, clock, ...selection },
      onTrouble: ({ during, error, afterMs }) => {
        if (onFailure?.(error) === true) return;
        onTrouble();
        const text = `The ${during} of ${resourceText(resource)} ended badly`;
        // Once in a row: until it works again, nothing new is said by it.
        const level = isTroubled ? "debug" : "warn";
        isTroubled = true;
        log[level](text, { error: describe(error), againMs: Math.round(afterMs) });
      },
    });
    for await (const event of events) {
      isTroubled = false;
      if (event.type === "synced") {
        store.apply(event);
        onRead?.();
        continue;
      }
      const before = store.get(keyOf(event.object));
      store.apply(event);
      changed(before, event.type === "deleted" ? undefined : event.object);
    }
  }

  /** What was read once is still the best that is known, unless the kind itself is gone. */
  #networksFailed(isMissing: boolean, error: unknown): void {
    if (isMissing) this.#setNetworksKnown({ state: "no such kind" });
    else if (this.#networksKnown.state === "pending" || this.#networksKnown.state === "failing") {
      this.#setNetworksKnown({ state: "failing", error: describe(error) });
    }
  }

  #setNetworksKnown(known: NetworksKnown): void {
    const before = this.#networksKnown;
    this.#networksKnown = known;
    this.#networksSettled.resolve();
    if (before.state !== known.state) this.#tell((listener) => listener.networksKnown());
  }

  #tell(say: (listener: ViewListener) => void): void {
    for (const listener of this.#listeners) say(listener);
  }
}

/** Names of those nodes of a report that something is attached on. */
function usedNodes({ nodes }: LanReport): readonly string[] {
  return nodes.filter(({ attached }) => attached > 0).map(({ node }) => node);
}

/** Whether nothing changed that a verdict is about. */
function isSameSpec(before: LanObject | undefined, after: LanObject | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  const [one, other] = [before.metadata, after.metadata];
  return one.uid === other.uid && one.generation !== undefined &&
    one.generation === other.generation;
}
