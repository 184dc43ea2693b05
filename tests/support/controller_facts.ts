/** What a controller tells its servers, for tests of these alone. */

import type { Lan } from "../../src/api/lan.ts";
import type { ControllerCounters, ControllerFacts } from "../../src/controller/facts.ts";
import type { Workload } from "../../src/controller/lan_report.ts";
import type { KubeApi } from "../../src/kube/kube_api.ts";
import type { ObjectKey } from "../../src/kube/objects.ts";
import type { LanObject, NetworkAttachmentDefinition } from "../../src/kube/resources.ts";
import { LogRecorder } from "./log_recorder.ts";

export class TestFacts implements ControllerFacts {
  readonly api: KubeApi;
  readonly podApi: KubeApi;
  readonly log = new LogRecorder();
  readonly stop = new AbortController();
  leads = true;
  synced = true;
  objects: readonly LanObject[] = [];
  known: readonly Lan[] = [];
  attached: readonly Workload[] = [];
  counters: ControllerCounters = {
    ...{ reconciles: 7, failures: 1, reconcileSeconds: 0.5 },
    ...{ networkWrites: 3, statusWrites: 2, watchTroubles: 0 },
  };
  options: ControllerFacts["options"] = {
    ...{ namespace: "k8slan-system", webhookPort: 0, healthPort: 0, metricsPort: 0 },
  };

  constructor(api: KubeApi) {
    this.api = api;
    this.podApi = api;
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  leaderApi(): KubeApi | undefined {
    return this.leads ? this.api : undefined;
  }

  isLeader(): boolean {
    return this.leads;
  }

  isSynced(): boolean {
    return this.synced;
  }

  lanObjects(): readonly LanObject[] {
    return this.objects;
  }

  lans(): readonly Lan[] {
    return this.known;
  }

  workloads(): readonly Workload[] {
    return this.attached;
  }

  network(_key: ObjectKey): NetworkAttachmentDefinition | undefined {
    return undefined;
  }

  queueLength(): number {
    return 0;
  }
}
