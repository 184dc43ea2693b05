/**
 * The LANs of a cluster, and who holds their spokes on other nodes: as they were when the agent last
 * ran, until the API server tells what has become of them.
 */

import type { LanSource, LansReading } from "../agent/lan_source.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { LanOnNode } from "../api/lan_node.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { LAN_NODES, type LanNodeObject, LANS } from "../kube/resources.ts";
import { type ResourceEvent, watchResource, type WatchTrouble } from "../kube/watcher.ts";
import type { ClusterCache } from "./cluster_cache.ts";
import type { Holders } from "./holders.ts";
import { lanPlaces } from "./lan_places.ts";
import { LanObjects } from "./lan_objects.ts";
import { Migrations } from "./migrations.ts";
import { type SpokePlace, spokePlaces } from "./spoke_moves.ts";
import { markId } from "../plan/mark.ts";
import type { Peers } from "../plan/vtep.ts";
import { ClusterPeers } from "./peers.ts";
import { ServerContact } from "./server_contact.ts";
import { Soon } from "./soon.ts";

export interface ClusterLansOptions {
  readonly api: KubeApi;
  readonly node: string;
  readonly holders: Holders;
  readonly cache: ClusterCache;
  /** Called after other nodes have come to hold other spokes, or may share others. */
  readonly holdersChanged: () => void;
  /** Called after other nodes have said something else of what they hold. */
  readonly nodesChanged: () => void;
  /** Called with the ids of LANs whose frames go to other nodes now; "all" once they are known at all. */
  readonly peersChanged: (lanIds: readonly string[] | "all") => void;
  /** Called with each state of this node's own object; undefined when it is gone. */
  readonly ownNode: (object: LanNodeObject | undefined) => void;
  /** Called whenever the API server has shown that it works. */
  readonly serverAnswers: () => void;
  readonly log: Log;
  readonly times?: Partial<ClusterLansTimes>;
  /** Of the watchers. */
  readonly clock?: Clock;
}

export interface ClusterLansTimes {
  /** A list of LANs comes one by one: they are taken together. Milliseconds. */
  readonly settleMs: number;
  /** Between two writings of the cache. Milliseconds. */
  readonly saveMs: number;
  /**
   * A node whose object was deleted stays a peer for so long: where its agent lives, that makes it
   * anew, and no frame is to be lost for it. Milliseconds.
   */
  readonly peerGraceMs: number;
}

const TIMES: ClusterLansTimes = { settleMs: 50, saveMs: 1000, peerGraceMs: 10_000 };

const NOWHERE: ReadonlySet<string> = new Set();

const NOT_KNOWN_YET: Condition = {
  reason: "LansUnknown",
  message:
    "No LAN is known yet: this agent waits for the API server, which has never answered it before",
};

export class ClusterLans implements LanSource {
  readonly #options: ClusterLansOptions;
  readonly #lans: LanObjects;
  readonly migrations: Migrations;
  /** What each of the other nodes holds. */
  readonly #nodes = new Map<string, LanNodeObject>();
  /** Those whose objects were deleted just now, and when. */
  readonly #leaving = new Map<string, { readonly object: LanNodeObject; readonly since: number }>();
  readonly #peers: ClusterPeers;
  /** What `#nodes` say of where LANs are; made when it is asked for. */
  #places: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  readonly #contact: ServerContact;
  #nodesAreKnown = false;
  /** Whether there is anything to go by in the question of who is a peer. */
  #peersAreKnown: boolean;
  /** Whether peers were counted since this agent started. */
  #peersAreCounted = false;
  /** Whether there is anything to go by. */
  #isKnown: boolean;
  #changed: () => void = () => {};

  /** Knows at once what `cache` does, and so does `holders`. */
  constructor(options: ClusterLansOptions) {
    this.#options = options;
    const memory = options.cache.read();
    this.#isKnown = memory !== undefined;
    this.#peersAreKnown = memory !== undefined;
    this.#lans = new LanObjects(memory?.lans);
    this.migrations = new Migrations(memory?.migrations);
    options.holders.restore(memory?.held ?? []);
    this.#peers = new ClusterPeers(options.node);
    this.#peers.restore(memory?.peers ?? []);
    this.#contact = new ServerContact(options.log, () => this.#changed());
  }

  /** Whether LANs are known, be it from before. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Addresses of the other nodes of a LAN with a unicast underlay. */
  peers(lanUid: string): Peers {
    return this.#peersAreKnown ? this.#peers.of(lanUid) : "unknown";
  }

  /** The other nodes that something is attached to the LAN on; undefined until all have been heard. */
  nodesOf(lanUid: string): ReadonlySet<string> | undefined {
    if (!this.#nodesAreKnown) return undefined;
    this.#places ??= lanPlaces(this.#nodes.values());
    return this.#places.get(markId(lanUid)) ?? NOWHERE;
  }

  /** The spokes that other nodes hold; undefined until all have been heard. */
  places(): readonly SpokePlace[] | undefined {
    return this.#nodesAreKnown ? spokePlaces(this.#nodes.values()) : undefined;
  }

  /** Whether the API server answers as it should, as far as is known. */
  get isServerThere(): boolean {
    return this.#contact.problem === undefined;
  }

  read(): LansReading {
    const { lans, problems } = this.#lans.reading();
    const { problem } = this.#contact;
    const ours = [this.#isKnown ? [] : [NOT_KNOWN_YET], problem ?? []].flat();
    return { lans, problems: [...ours, ...problems] };
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    const { cache, holders, holdersChanged, nodesChanged, times } = this.#options;
    const { settleMs, saveMs, peerGraceMs } = { ...TIMES, ...times };
    using news = new Soon(settleMs, changed);
    using save = new Soon(saveMs, () => {
      if (!this.#isKnown) return;
      const { open: migrations } = this.migrations;
      const { peers } = this.#peers;
      cache.write({ lans: this.#lans.objects(), held: holders.held, migrations, peers });
    });
    using forget = new Soon(peerGraceMs, () => {
      for (const [name, { since }] of this.#leaving) {
        if (performance.now() - since >= peerGraceMs) this.#leaving.delete(name);
      }
      recount.ask();
    });
    using recount = new Soon(settleMs, () => {
      this.#places = undefined;
      nodesChanged();
      if (this.#countPeers()) save.ask();
      if (this.#leaving.size > 0) forget.ask();
      if (!holders.update(this.#nodes.values())) return;
      holdersChanged();
      save.ask();
    });
    this.#changed = () => news.ask();
    await Promise.all([
      this.#followLans(news, save, signal),
      this.#followNodes(recount, signal),
    ]);
    this.#changed = () => {};
    recount.flush();
    save.flush();
  }

  async #followLans(news: Soon, save: Soon, signal: AbortSignal): Promise<void> {
    const { api, holdersChanged } = this.#options;
    const options = { signal, known: this.#lans.objects(), ...this.#follower("lans") };
    for await (const event of watchResource(api, LANS, options)) {
      const isFirst = event.type === "synced" && !this.#isKnown;
      if (isFirst) this.#isKnown = true;
      if (this.migrations.apply(event)) {
        holdersChanged();
        save.ask();
      }
      if (!this.#lans.apply(event) && !isFirst) continue;
      news.ask();
      save.ask();
    }
  }

  async #followNodes(recount: Soon, signal: AbortSignal): Promise<void> {
    const { api, node, holders, ownNode } = this.#options;
    const remembered = [...holders.held, ...this.#peers.peers].map(({ node }) => node);
    const known = [...new Set(remembered)].map(strangeNode);
    const options = { signal, known, ...this.#follower("lannodes") };
    for await (const event of watchResource(api, LAN_NODES, options)) {
      // Until all have spoken, those of last time count.
      this.#nodesAreKnown ||= event.type === "synced";
      if (event.type !== "synced" && event.object.metadata.name === node) {
        ownNode(event.type === "deleted" ? undefined : event.object);
      } else if (this.#applyNode(event) && this.#nodesAreKnown) {
        recount.ask();
      }
    }
  }

  /** Whether the node may hold something else now. */
  #applyNode(event: ResourceEvent<LanNodeObject>): boolean {
    if (event.type === "synced") return true;
    const { name } = event.object.metadata;
    const gone = this.#nodes.get(name);
    if (event.type === "deleted") {
      if (gone !== undefined) this.#leaving.set(name, { object: gone, since: performance.now() });
      return this.#nodes.delete(name);
    }
    this.#leaving.delete(name);
    const object = holdingsOf(event.object);
    const before = this.#nodes.get(name);
    this.#nodes.set(name, object);
    return JSON.stringify(before?.status) !== JSON.stringify(object.status);
  }

  /** Takes to whom nodes say that frames go; says whether anything is different now. */
  #countPeers(): boolean {
    const leaving = [...this.#leaving.values()].map(({ object }) => object);
    const changed = this.#peers.update([...this.#nodes.values(), ...leaving]);
    this.#peersAreKnown = true;
    const { peersChanged } = this.#options;
    if (!this.#peersAreCounted) peersChanged("all");
    else if (changed.length > 0) peersChanged(changed);
    this.#peersAreCounted = true;
    return changed.length > 0;
  }

  #follower(watcher: string) {
    return {
      clock: this.#options.clock ?? systemClock,
      onTrouble: (trouble: WatchTrouble) => this.#contact.trouble(watcher, trouble),
      onContact: () => {
        this.#contact.contact(watcher);
        this.#options.serverAnswers();
      },
    };
  }
}

/**
 * Of what a node says, what it holds and where it is: the rest is for others to read, and there is
 * much of it.
 */
function holdingsOf({ apiVersion, kind, metadata, status }: LanNodeObject): LanNodeObject {
  const { name, uid, resourceVersion, creationTimestamp } = metadata;
  const attachments = status?.attachments?.filter(({ spoke }) => spoke !== undefined) ?? [];
  const lans = status?.lans?.filter(({ attached }) => attached > 0).map(placeOf) ?? [];
  return {
    ...{ apiVersion, kind, metadata: { name, uid, resourceVersion, creationTimestamp } },
    status: { version: "", attached: attachments.length, attachments, lans },
  };
}

/** The same as long as the LAN is in use there, at the same address. */
function placeOf({ namespace, name, uid, vtep }: LanOnNode): LanOnNode {
  return {
    ...{ namespace, name, uid, attached: 1, ready: true },
    ...(vtep === undefined ? {} : { vtep }),
  };
}

/** A node that is known by its name alone, so that one notices when it is gone. */
function strangeNode(name: string): LanNodeObject {
  const { kind } = LAN_NODES;
  const metadata = { name, uid: "", resourceVersion: "", creationTimestamp: "" };
  return { apiVersion: "", kind, metadata };
}
