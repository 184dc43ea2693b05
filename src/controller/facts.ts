/**
 * What the controller tells those of its parts that serve others: health, metrics, the webhook and
 * its certificate. They run in every replica, leader or not, from the start to the end.
 */

import type { Lan } from "../api/lan.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import type { ObjectKey } from "../kube/objects.ts";
import type { LanObject, NetworkAttachmentDefinition } from "../kube/resources.ts";
import type { Workload } from "./lan_report.ts";

export interface ServerOptions {
  /** Namespace of the controller itself. */
  readonly namespace: string;
  /** 0: any free port, for tests. */
  readonly webhookPort: number;
  readonly healthPort: number;
  readonly metricsPort: number;
  /**
   * Folder with `tls.crt` and `tls.key` that somebody else renews (cert-manager). Absent: the
   * certificate is made and renewed here.
   */
  readonly webhookCertificateDir?: string;
}

/** What has happened since the start; each number only grows. */
export interface ControllerCounters {
  /** Reconciliations of a LAN, and how many of them failed. */
  readonly reconciles: number;
  readonly failures: number;
  /** Seconds they took in all. */
  readonly reconcileSeconds: number;
  /** NetworkAttachmentDefinitions made, repaired or deleted. */
  readonly networkWrites: number;
  readonly statusWrites: number;
  /** Lists and watches that ended badly. */
  readonly watchTroubles: number;
}

export interface ControllerFacts {
  readonly options: ServerOptions;
  /** Not bound to leadership: writes name the version that they are about. */
  readonly api: KubeApi;
  /** For reading what pods name; apart, as whoever makes pods says how much is read. */
  readonly podApi: Pick<KubeApi, "get">;
  /** For what the leader alone may write; undefined while another process leads. */
  leaderApi(): KubeApi | undefined;
  isLeader(): boolean;
  /** Whether everything that verdicts are made of has been read once. */
  isSynced(): boolean;
  /** All LANs as they lie in the cluster. */
  lanObjects(): readonly LanObject[];
  /** Those of them that are valid: what `acceptLans()` decides over. */
  lans(): readonly Lan[];
  /** What agents say is attached to the LAN of that UID. */
  workloads(lanUid: string): readonly Workload[];
  /** Of the network attachment definitions that the controller has made. */
  network(key: ObjectKey): NetworkAttachmentDefinition | undefined;
  readonly counters: ControllerCounters;
  /** LANs that wait to be worked on; 0 unless this process leads. */
  queueLength(): number;
  readonly log: Log;
  /** Fires when the process shall end. */
  readonly signal: AbortSignal;
}

/**
 * What src/controller/servers.ts exports: resolves when all ports are bound, and rejects if one
 * can't be. Serves until it is disposed of, which comes after `facts.signal` has fired.
 */
export type StartServers = (facts: ControllerFacts) => Promise<AsyncDisposable>;
