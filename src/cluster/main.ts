/** An agent as part of a cluster: wires what ties it to API server and kubelet. */

import type { Attachment, PodIdentity } from "../agent/attachment.ts";
import type { AgentParts, Membership } from "../agent/membership.ts";
import { UnderlaySurvey } from "../agent/underlay_survey.ts";
import type { Lan } from "../api/lan.ts";
import { DEFAULT_STATE_DIR } from "../api/names.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";
import { DevicePluginManager } from "../deviceplugin/device_plugin_manager.ts";
import { PodResources } from "../deviceplugin/pod_resources.ts";
import { FetchKubeApi } from "../kube/fetch_kube_api.ts";
import { findKubeAccess } from "../kube/find_access.ts";
import type { KubeAccess } from "../kube/kube_access.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { markId } from "../plan/mark.ts";
import type { Peers } from "../plan/vtep.ts";
import { version } from "../version.ts";
import { ClusterCache } from "./cluster_cache.ts";
import { ClusterLans } from "./cluster_lans.ts";
import { clusterMetrics } from "./cluster_metrics.ts";
import { CniInstaller, installSource } from "./cni_installer.ts";
import { deviceOffers } from "./device_offers.ts";
import { deviceProblems } from "./device_problems.ts";
import { type Holder, Holders } from "./holders.ts";
import { isExpected, isMigrating } from "./migrations.ts";
import { lanNodeStatus } from "./node_report.ts";
import { NodeReporter } from "./node_reporter.ts";
import { OrphanWatch } from "./orphan_watch.ts";
import { PodGate } from "./pod_gate.ts";
import { ProgramFolder } from "./program_folder.ts";
import { TableCare } from "./table_care.ts";
import { UnattachedWatch } from "./unattached_watch.ts";

export interface ClusterOptions {
  /** A kubeconfig; none: as found in the environment, in a pod its ServiceAccount. */
  readonly kubeconfig?: string;
  /** An environment variable. */
  readonly env: (name: string) => string | undefined;
  /** Kubelet's folder, with its sockets. */
  readonly kubeletDir: string;
  /** Where the node's container runtime looks for CNI plugins. */
  readonly cniBinDir: string;
}

/**
 * The cluster that the node is part of. Speaks to nobody before `run()`. Throws `K8slanError`
 * "BadKubeconfig", "NoCredentials" or "InsecureServer".
 */
export async function joinCluster(options: ClusterOptions, parts: AgentParts): Promise<Membership> {
  const userAgent = `k8slan/${version} (agent)`;
  const api = new FetchKubeApi(await findAccess(options), { userAgent });
  try {
    return new ClusterMembership(api, options, parts);
  } catch (error) {
    api[Symbol.dispose]();
    throw error;
  }
}

async function findAccess({ kubeconfig, env }: ClusterOptions): Promise<KubeAccess> {
  try {
    return await findKubeAccess({ ...(kubeconfig === undefined ? {} : { kubeconfig }), env });
  } catch (error) {
    if (kubeconfig !== undefined || !(error instanceof K8slanError)) throw error;
    const { code, message } = error;
    const ways = "name one with --kubeconfig, run in a pod with a ServiceAccount, or serve LAN " +
      "files with --standalone";
    throw new K8slanError(code, `${message}; ${ways}`, { cause: error.cause });
  }
}

interface SharedSpoke {
  readonly attachment: Attachment;
  /** Who has it on another node. */
  readonly holder: Holder;
}

export class ClusterMembership implements Membership {
  readonly lans: ClusterLans;
  readonly gate: PodGate;
  readonly #parts: AgentParts;
  readonly #api: KubeApi & Disposable;
  readonly #holders: Holders;
  /** Spokes that this node and another one held when devices were offered last. */
  #shared: ReadonlyMap<string, SharedSpoke> = new Map();
  readonly #devices: DevicePluginManager;
  readonly #devicesFolder: string;
  readonly #survey: UnderlaySurvey;
  readonly #orphans: OrphanWatch;
  readonly #unattached: UnattachedWatch;
  readonly #tables: TableCare;
  readonly #reporter: NodeReporter;
  /** None: this program runs from its sources. */
  readonly #installer: CniInstaller | undefined;

  constructor(
    api: KubeApi & Disposable,
    { kubeletDir, cniBinDir, env }: ClusterOptions,
    parts: AgentParts,
    clock: Clock = systemClock,
  ) {
    const { node, stateDir, kernel, registry, attachments, taps, drift, log } = parts;
    const changed = () => this.changed();
    this.#parts = parts;
    this.#api = api;
    this.#holders = new Holders(node.name);
    this.#devicesFolder = `${kubeletDir}/device-plugins`;
    const podResources = `${kubeletDir}/pod-resources/kubelet.sock`;
    const resources = new PodResources(podResources);
    this.gate = new PodGate({
      ...{ resources, holders: this.#holders, socket: podResources },
      migrations: { of: (lanUid, spoke) => this.lans.migrations.of(lanUid, spoke) },
    });
    this.#devices = new DevicePluginManager({
      folder: this.#devicesFolder,
      pathOf: (_, spoke) => `/dev/tap${taps.reserve(spoke)}`,
      allocated: (_, spoke) => this.#unattached.allocated(spoke),
      ...{ log, changed },
    });
    this.#survey = new UnderlaySurvey({ node, kernel, registry, drift, changed, log });
    this.#orphans = new OrphanWatch({
      ...{ node: node.name, resources, changed, log },
      attachments: () => attachments.all(),
    });
    this.#unattached = new UnattachedWatch({
      ...{ registry, attachments, resources, changed, log, clock },
    });
    this.#reporter = new NodeReporter({
      ...{ api, node: node.name, log },
      report: () =>
        lanNodeStatus({
          ...{ registry, attachments },
          conditions: parts.conditions,
          probe: (lanId) => parts.probes.report(lanId),
          prospect: (lan) => this.#survey.prospect(lan),
          unattached: () => this.#unattached.found(),
          // Each LAN says itself whether it is valid, once and not once a node.
          problems: () => parts.problems().filter(({ reason }) => reason !== "InvalidLan"),
        }),
    });
    const source = installSource(env);
    this.#installer = source === undefined ? undefined : new CniInstaller({
      ...{ source, binDir: cniBinDir, changed, log },
      // The plugin looks for itself in no other state directory.
      ...(stateDir === DEFAULT_STATE_DIR
        ? { program: new ProgramFolder({ source, folder: `${stateDir}/program`, log }) }
        : {}),
      stampFile: `${stateDir}/plugin.json`,
    });
    this.lans = new ClusterLans({
      ...{ api, node: node.name, holders: this.#holders, log },
      cache: new ClusterCache(`${stateDir}/cluster.json`, log),
      holdersChanged: () => this.#offerDevices(),
      nodesChanged: () => {
        this.#tables.look();
        parts.probes.changed();
      },
      peersChanged: (lanIds) => this.#followPeers(lanIds),
      ownNode: (object) => this.#reporter.seen(object),
      serverAnswers: () => this.#reporter.apiServerAnswers(),
    });
    const before = this.#holders.held.map(({ lanUid, spoke, node }) => (
      { lanId: markId(lanUid), spoke, node }
    ));
    this.#tables = new TableCare({
      ...{ node: node.name, kernel, registry, attachments, log },
      others: () => this.lans.places(),
    }, before);
  }

  problems() {
    return [
      ...deviceProblems(this.#devices.state(), this.#devicesFolder),
      // To leave another project's plugin alone is right.
      ...this.#installer?.problems.filter(({ reason }) => reason !== "AliasTaken") ?? [],
      ...this.#orphans.problems(),
    ];
  }

  readonly checks = {
    lans: () => this.lans.isKnown ? undefined : "no LAN is known before the API server answers",
    kubelet: () => {
      const { present, problem } = this.#devices.state().kubelet;
      return present ? problem : `no kubelet listens in "${this.#devicesFolder}"`;
    },
    plugin: () => this.#installer?.isInstalled === false ? "it is not installed" : undefined,
  };

  metrics() {
    const { isServerThere } = this.lans;
    const sources = { devices: this.#devices, reporter: this.#reporter, isServerThere };
    return clusterMetrics({ ...sources, installer: this.#installer });
  }

  peers(lan: Lan): Peers {
    return this.lans.peers(lan.metadata.uid);
  }

  /** What nothing is attached to has no VXLAN yet. */
  #followPeers(lanIds: readonly string[] | "all"): void {
    const { attachments, look } = this.#parts;
    const here = attachments.lanIds();
    const concerned = lanIds === "all" ? here : here.filter((id) => lanIds.includes(id));
    concerned.forEach(look);
  }

  expectedNodes(lanUid: string): ReadonlySet<string> | undefined {
    return this.lans.nodesOf(lanUid);
  }

  lansChanged(): void {
    this.#offerDevices();
    this.#survey.lansChanged();
  }

  changed(): void {
    this.#reporter.changed();
    this.#tables.attachmentsChanged();
    this.#unattached.attachmentsChanged();
    const shared = this.#sharedSpokes();
    const isSame = shared.size === this.#shared.size &&
      [...shared.keys()].every((key) => this.#shared.has(key));
    if (!isSame) this.#offerDevices();
  }

  attachFailed(pod: PodIdentity): void {
    this.#unattached.attachFailed(pod);
  }

  suspect(id: string): boolean {
    return this.#survey.suspect(id);
  }

  lookAgain(): void {
    this.#survey.lookAgain();
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#devices.run(signal),
      this.#orphans.run(signal),
      this.#reporter.run(signal),
      this.#installer?.run(signal),
    ]);
  }

  #offerDevices(): void {
    const { node, registry, attachments } = this.#parts;
    const isTaken = (lanUid: string, spoke: string) => {
      const holder = this.#holders.elsewhere(lanUid, spoke);
      return holder !== undefined && attachments.holder(markId(lanUid), spoke) === undefined &&
        !isExpected(this.lans.migrations.of(lanUid, spoke), holder, node.name);
    };
    const shared = this.#sharedSpokes();
    for (const [key, one] of shared) if (!this.#shared.has(key)) this.#warnOf(one);
    this.#shared = shared;
    this.#devices.setDevices(deviceOffers(registry.all(), node.name, isTaken));
  }

  #sharedSpokes(): ReadonlyMap<string, SharedSpoke> {
    const shared = new Map<string, SharedSpoke>();
    for (const attachment of this.#parts.attachments.all()) {
      const { lanId, spoke } = attachment;
      const holder = spoke === undefined ? undefined : this.#holders.elsewhere(lanId, spoke);
      if (holder !== undefined) shared.set(`${lanId} ${spoke}`, { attachment, holder });
    }
    return shared;
  }

  /** Each node let its pod have the spoke before it heard of the other; who learns of it says so. */
  #warnOf({ attachment: { lanId, lan, spoke = "", details }, holder }: SharedSpoke): void {
    const pod = details?.pod;
    if (isMigrating(this.lans.migrations.of(lanId, spoke), holder, pod)) return;
    const fields = { lan, spoke, pod, other: holder };
    this.#parts.log.warn("Spoke is held here and on another node: delete one of the pods", fields);
  }

  /** Devices stay offered: kubelet waits minutes for an agent to come back. */
  [Symbol.dispose](): void {
    this.#devices[Symbol.dispose]();
    this.#unattached[Symbol.dispose]();
    this.#api[Symbol.dispose]();
  }
}
