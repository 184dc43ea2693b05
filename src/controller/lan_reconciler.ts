/** One LAN made true: finalizer, network attachment definitions, status, events. */

import type { Lan } from "../api/lan.ts";
import type { LanStatus } from "../api/lan_status.ts";
import { LAN_FINALIZER } from "../api/names.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";
import type { EventText } from "../kube/event_recorder.ts";
import { reconcileWithFinalizer } from "../kube/finalizer.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { keyOf, keyText, type KubeObject, parseKey } from "../kube/objects.ts";
import type { ReconcileResult } from "../kube/reconcile.ts";
import { type LanObject, LANS } from "../kube/resources.ts";
import { AGENT_HOLD } from "./agent_pods.ts";
import type { ClusterView } from "./cluster_view.ts";
import { HoldWatch } from "./hold_watch.ts";
import { isSameStatus, type LanFacts, lanStatus, type LanVerdict } from "./lan_conditions.ts";
import { lanEvents } from "./lan_events.ts";
import { lanMigrations } from "./migrations.ts";
import { diffNetworks, type ForeignNetwork, type NetworkDiff } from "./network_diff.ts";
import { namespacesOf, wantedNetworks } from "./networks.ts";
import type { NetworksState } from "./networks_state.ts";
import { writeNetworks, type WriteResult } from "./network_writer.ts";
import type { Counters } from "./counters.ts";
import { NOT_READY_HOLD } from "./node_readiness.ts";
import { SHARED_HOLD, sharedSpokes } from "./shared_spokes.ts";

export interface LanReconcilerOptions {
  readonly view: ClusterView;
  /** The leader's. */
  readonly api: KubeApi;
  readonly record: (object: KubeObject, text: EventText) => void;
  /** Called for each LAN whose verdict turned out to have changed. */
  readonly affected: (key: string) => void;
  readonly counters: Counters;
  readonly clock?: Clock;
  /** The date, for the status. */
  readonly date?: () => Date;
}

/**
 * A workload may have been admitted right before its node's agent heard that the LAN goes: it is in
 * the agent's report by then.
 */
const SETTLE_MS = 1_000;
/** Nobody tells when a name is free again that others have: it is tried. */
const NAME_TAKEN_RETRY_MS = 5_000;
const MANY_NAMES = 20;
const MANY_NAMES_RETRY_MS = 60_000;
const DEADLINE_MS = 10_000;

export class LanReconciler {
  readonly #options: LanReconcilerOptions;
  readonly #clock: Clock;
  /** When each LAN was first seen to be going, by UID. */
  readonly #goingSince = new Map<string, number>();
  readonly #shares = new HoldWatch(SHARED_HOLD);
  readonly #notReady = new HoldWatch(NOT_READY_HOLD);
  readonly #noAgent = new HoldWatch(AGENT_HOLD);

  constructor(options: LanReconcilerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** To be run by a reconciler; see `Reconcile`. */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | void> {
    const { view, api, affected } = this.#options;
    for (const other of view.acceptance.refresh()) if (other !== key) affected(other);
    const object = view.lans.get(parseKey(key));
    if (object === undefined) return;
    const work = {
      apply: (lan: LanObject) => this.#apply(lan, signal),
      cleanup: (lan: LanObject) => this.#cleanup(lan, signal),
    };
    const call = { signal, deadlineMs: DEADLINE_MS };
    return await reconcileWithFinalizer(api, LANS, object, LAN_FINALIZER, work, call);
  }

  /** To be called when a LAN is gone. */
  forget(lanUid: string): void {
    this.#goingSince.delete(lanUid);
    this.#shares.forget(lanUid);
    this.#notReady.forget(lanUid);
    this.#noAgent.forget(lanUid);
  }

  async #apply(object: LanObject, signal: AbortSignal): Promise<ReconcileResult | void> {
    const { view } = this.#options;
    const verdict = view.acceptance.verdict(object);
    if (verdict === undefined) return; // a state of the past: its successor is worked on next
    const validation = view.acceptance.validation(object);
    const lan = "lan" in validation ? validation.lan : undefined;
    const networks = await this.#makeNetworks(
      object,
      verdict.kind === "accepted" ? lan : undefined,
      signal,
    );
    const againMs = await this.#tell(object, verdict, networks, signal);
    return soonest(nextLook(networks), againMs);
  }

  async #cleanup(object: LanObject, signal: AbortSignal): Promise<"done" | ReconcileResult> {
    const { view } = this.#options;
    const { uid } = object.metadata;
    const since = this.#goingSince.get(uid) ?? this.#clock.now();
    this.#goingSince.set(uid, since);
    const networks = await this.#makeNetworks(object, undefined, signal);
    const verdict = view.acceptance.verdict(object);
    if (verdict === undefined) return {};
    const report = view.report(uid);
    const againMs = report.attached > 0
      ? await this.#tell(object, verdict, networks, signal)
      : undefined;
    const next = soonest(nextLook(networks), againMs);
    if (next !== undefined) return next;
    if (report.attached > 0) return {}; // a change of the reports calls again
    const waitMs = since + SETTLE_MS - this.#clock.now();
    return verdict.kind === "accepted" && waitMs > 0 ? { requeueAfterMs: waitMs } : "done";
  }

  /** Writes what differs from what `lan` shall have; without `lan`, from nothing at all. */
  async #makeNetworks(
    object: LanObject,
    lan: Lan | undefined,
    signal: AbortSignal,
  ): Promise<NetworksState> {
    const { view } = this.#options;
    const known = view.networksKnown;
    if (lan === undefined) {
      const why = object.metadata.deletionTimestamp === undefined ? "not accepted" : "deleting";
      const own = view.networksByLan.get(object.metadata.uid);
      const remove = known.state === "read" ? own : [];
      const { rest, errors } = await this.#write({ create: [], repair: [], remove }, signal);
      return { kind: "none", why, rest, errors };
    }
    if (known.state === "no such kind") return { kind: "multus missing" };
    if (known.state !== "read") {
      return { kind: "unknown", error: known.state === "failing" ? known.error : "not read yet" };
    }
    const namespaces = namespacesOf(lan);
    const usable = namespaces.filter((name) => this.#isUsable(name));
    const wanted = wantedNetworks(lan, usable);
    const diff = diffNetworks(wanted, {
      own: view.networksByLan.get(lan.metadata.uid),
      find: (key) => view.networks.get(key),
      isLiving: (uid) => view.isLiving(uid),
    });
    const result = await this.#write(diff, signal);
    const missing = namespaces.filter((name) => !usable.includes(name) || result.missing.has(name));
    const foreign = [...diff.foreign, ...result.foreign].toSorted(byKey).map((network) => ({
      ...network,
      ...this.#lanOf(network.lanUid),
    }));
    return {
      ...{ kind: "written", namespaces: usable, wanted: wanted.length, foreign },
      ...{ missing, rest: result.rest, errors: result.errors },
    };
  }

  async #write(
    diff: Pick<NetworkDiff, "create" | "repair" | "remove">,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    const { view, api, counters } = this.#options;
    return await writeNetworks(diff, {
      ...{ api, signal },
      isLiving: (uid) => view.isLiving(uid),
      wrote: () => counters.networkWrites++,
    });
  }

  /**
   * Writes the status if it is another one, and tells of what changed by it. Returns after how many
   * milliseconds there is more to tell though nothing changes.
   */
  async #tell(
    seen: LanObject,
    verdict: LanVerdict,
    networks: NetworksState,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { view, api, counters, record, date = () => new Date() } = this.#options;
    const key = keyOf(seen);
    // Writing took its time; what it was about must still hold.
    const object = view.lans.get(key);
    if (object === undefined || !isSameLan(seen, object)) return undefined;
    const { uid, generation, resourceVersion, deletionTimestamp } = object.metadata;
    const validation = view.acceptance.validation(object);
    const report = view.report(uid);
    const { launchers } = view;
    const migrations = launchers === undefined
      ? undefined
      : lanMigrations(report.workloads, launchers);
    const allowed = migrations ?? object.status?.migrations ?? [];
    const now = this.#clock.now();
    const spokes = sharedSpokes(report.workloads, allowed);
    const shared = this.#shares.look(uid, spokes, object.status, now);
    const notReady = this.#notReady.look(uid, view.notReady(report), object.status, now);
    const noAgent = this.#noAgent.look(uid, view.withoutAgent(report), object.status, now);
    const facts: LanFacts = {
      ...(generation === undefined ? {} : { generation }),
      ...("lan" in validation ? { spokes: validation.lan.spec.spokes.length } : {}),
      ...{ verdict, networks, report, shared: shared.lasting, notReady: notReady.lasting },
      noAgent: { nodes: noAgent.lasting, namespace: view.namespace },
      ...(migrations === undefined ? {} : { migrations }),
      isDeleting: deletionTimestamp !== undefined,
    };
    const status = lanStatus(facts, object.status, timeText(date()));
    if (!isSameStatus(object.status, status)) {
      const body = { metadata: { uid, resourceVersion }, status: patchOf(object.status, status) };
      const call = { signal, deadlineMs: DEADLINE_MS, subresource: "status" } as const;
      const written = await api.patch(LANS, key, { type: "merge", body }, call);
      counters.statusWrites++;
      for (const text of lanEvents(object.status, status)) record(written, text);
    }
    return soonestMs(shared.againMs, notReady.againMs, noAgent.againMs);
  }

  #isUsable(namespace: string): boolean {
    const found = this.#options.view.namespaces.get({ name: namespace });
    return found !== undefined && found.metadata.deletionTimestamp === undefined;
  }

  #lanOf(lanUid: string | undefined): { lan?: string } {
    const lan = lanUid === undefined ? undefined : this.#options.view.lansByUid.get(lanUid)[0];
    return lan === undefined ? {} : { lan: keyText(keyOf(lan)) };
  }
}

/**
 * When to look again though nothing tells of a change; at once, if not all is written. Throws what
 * failed, to be tried again later and later.
 */
function nextLook(networks: NetworksState): ReconcileResult | undefined {
  if (networks.kind !== "written" && networks.kind !== "none") return undefined;
  const [error] = networks.errors;
  if (error !== undefined) {
    throw new K8slanError("NetworksNotWritten", error, { retriable: true });
  }
  if (networks.rest > 0) return { requeueAfterMs: 0 };
  if (networks.kind === "none") return undefined;
  const { length } = networks.foreign;
  if (length === 0) return undefined;
  return { requeueAfterMs: length <= MANY_NAMES ? NAME_TAKEN_RETRY_MS : MANY_NAMES_RETRY_MS };
}

function soonest(
  next: ReconcileResult | undefined,
  againMs: number | undefined,
): ReconcileResult | undefined {
  const requeueAfterMs = soonestMs(next?.requeueAfterMs, againMs);
  return requeueAfterMs === undefined ? next : { requeueAfterMs };
}

function soonestMs(...waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((waitMs) => waitMs !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Whether everything still holds that was decided by `seen`. */
function isSameLan({ metadata: seen }: LanObject, { metadata: now }: LanObject): boolean {
  return seen.uid === now.uid && seen.generation === now.generation &&
    seen.deletionTimestamp === now.deletionTimestamp;
}

/** What is no longer said has to be named to be removed. */
function patchOf(before: LanStatus | undefined, status: LanStatus): object {
  const gone = Object.keys(before ?? {}).filter((key) => !Object.hasOwn(status, key));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...status };
}

/** The same list in the same words each time, or the status would never settle. */
function byKey({ key: one }: ForeignNetwork, { key: other }: ForeignNetwork): number {
  return keyText(one) < keyText(other) ? -1 : 1;
}

/** RFC 3339 in seconds, as all times of Kubernetes. */
function timeText(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
