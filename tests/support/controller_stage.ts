/** A cluster in memory with controllers in it, and what tests do to LANs there. */

import { podLabels } from "../../scripts/manifests/common.ts";
import type { LanNodeStatus } from "../../src/api/lan_node.ts";
import { SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { Controller } from "../../src/controller/controller.ts";
import { LAUNCHER_PODS } from "../../src/controller/launcher_pods.ts";
import type { KubeApi } from "../../src/kube/kube_api.ts";
import type { New } from "../../src/kube/objects.ts";
import {
  EVENTS,
  LAN_NODES,
  type LanObject,
  LANS,
  NAMESPACES,
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
  NODES,
  PODS,
} from "../../src/kube/resources.ts";
import { FakeKubeApi } from "./fake_kube_api.ts";
import { fastClock } from "./fast_clock.ts";
import { launcherObject, type LauncherOptions } from "./launcher_pods.ts";
import { LogRecorder } from "./log_recorder.ts";
import { until } from "./until.ts";

/** How much faster than the machine's the controllers' clock runs. */
const HASTE = 20;

export interface RunningController {
  readonly controller: Controller;
  readonly ended: Promise<"ended" | "lost">;
  /** Asks it to end, and waits. */
  stop(): Promise<void>;
}

/** What tests do to LANs, in a cluster in memory or a real one. */
export class LanUser {
  readonly api: KubeApi;

  constructor(api: KubeApi) {
    this.api = api;
  }

  /** Makes a LAN with a VNI that follows from its name unless `spec` has one. */
  async create(name: string, spec: object = {}, namespace = "default"): Promise<LanObject> {
    return await this.api.create(LANS, lanOf(name, spec, namespace));
  }

  async get(name: string, namespace = "default"): Promise<LanObject> {
    const lan = await this.api.get(LANS, { namespace, name });
    if (lan === undefined) throw new Error(`There is no LAN "${namespace}/${name}"`);
    return lan;
  }

  async change(name: string, spec: object, namespace = "default"): Promise<void> {
    await this.api.patch(LANS, { namespace, name }, { type: "merge", body: { spec } });
  }

  async delete(name: string, namespace = "default"): Promise<void> {
    await this.api.delete(LANS, { namespace, name });
  }

  /** `True/Accepted`, or undefined while there is no such condition. */
  async condition(name: string, type: string, namespace = "default"): Promise<string | undefined> {
    const { status } = await this.get(name, namespace);
    const found = status?.conditions?.find((condition) => condition.type === type);
    return found === undefined ? undefined : `${found.status}/${found.reason}`;
  }

  async message(name: string, type: string, namespace = "default"): Promise<string> {
    const { status } = await this.get(name, namespace);
    return status?.conditions?.find((condition) => condition.type === type)?.message ?? "";
  }

  /** Waits until a condition reads like `True/Ready`. */
  async says(name: string, type: string, wanted: string, timeout = 5_000): Promise<void> {
    let found: string | undefined;
    await until(`${type} of "${name}" is ${wanted}`, async () => {
      found = await this.condition(name, type);
      return found === wanted;
    }, { timeout }).catch((cause) => {
      throw new Error(`${type} of "${name}" is ${found} rather than ${wanted}`, { cause });
    });
  }

  async isGone(name: string, timeout = 5_000): Promise<void> {
    await until(`LAN "${name}" is gone`, async () => {
      return await this.api.get(LANS, { namespace: "default", name }) === undefined;
    }, { timeout });
  }

  /** `namespace/name` of all network attachment definitions, sorted. */
  async networks(): Promise<string[]> {
    const { items } = await this.api.list(NETWORK_ATTACHMENT_DEFINITIONS);
    return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort();
  }

  async network(key: string): Promise<NetworkAttachmentDefinition | undefined> {
    const [namespace = "", name = ""] = key.split("/");
    return await this.api.get(NETWORK_ATTACHMENT_DEFINITIONS, { namespace, name });
  }

  async hasNetworks(...wanted: string[]): Promise<void> {
    const text = wanted.toSorted().join(" ");
    await until(`networks are ${text}`, async () => (await this.networks()).join(" ") === text);
  }

  async addNamespace(name: string): Promise<void> {
    await this.api.create(NAMESPACES, { metadata: { name } });
  }

  async addNode(name: string): Promise<void> {
    await this.api.create(NODES, { metadata: { name } });
  }

  /** A kubelet tells how its node is, or nothing is heard of it ("Unknown"). */
  async beat(node: string, status: string, since = "2026-02-01T00:00:00Z"): Promise<void> {
    const lastHeartbeatTime = new Date().toISOString();
    const ready = { type: "Ready", status, lastHeartbeatTime, lastTransitionTime: since };
    const body = { status: { conditions: [ready] } };
    const call = { subresource: "status" } as const;
    await this.api.patch(NODES, { name: node }, { type: "merge", body }, call);
  }

  /** What the agent of `node` says, as it would. */
  async report(node: string, status: Partial<LanNodeStatus>): Promise<void> {
    const key = { name: node };
    if (await this.api.get(LAN_NODES, key) === undefined) {
      await this.api.create(LAN_NODES, { metadata: key });
    }
    const said = { version: "0", attached: 0, lans: null, attachments: null, ...status };
    const body = { status: said };
    await this.api.patch(LAN_NODES, key, { type: "merge", body }, { subresource: "status" });
  }

  /** The agent of `node` says that `pods` are attached to a LAN, each to the spoke of its name. */
  async attach(node: string, lan: LanObject, ...pods: string[]): Promise<void> {
    const { namespace = "", name, uid } = lan.metadata;
    const attached = pods.length;
    await this.report(node, {
      attached,
      lans: attached === 0 ? [] : [{ namespace, name, uid, attached, ready: true, mtu: 1426 }],
      attachments: pods.map((pod) => ({
        ...{ lanUid: uid, spoke: pod, attach: "macvtap", ifname: "net1", containerID: "c0ffee" },
        pod: { namespace: "default", name: pod },
      })),
    });
  }

  /** As the DaemonSet and kubelet do it: the agent's pod on `node` is ready, or not. */
  async setAgent(node: string, isReady: boolean): Promise<void> {
    const key = { namespace: SYSTEM_NAMESPACE, name: `agent-${node}` };
    if (await this.api.get(PODS, key) === undefined) {
      const labels = podLabels("agent");
      const spec = { nodeName: node, containers: [{ name: "agent", image: "agent" }] };
      await this.api.create(PODS, { metadata: { ...key, labels }, spec } as never);
    }
    const conditions = [{ type: "Ready", status: isReady ? "True" : "False" }];
    await this.api.patch(PODS, key, { type: "merge", body: { status: { conditions } } });
  }

  async deleteAgent(node: string): Promise<void> {
    await this.api.delete(PODS, { namespace: SYSTEM_NAMESPACE, name: `agent-${node}` });
  }

  /** Makes a pod with a VM in it, as KubeVirt does; returns its UID. */
  async addLauncher(name: string, options: LauncherOptions = {}): Promise<string> {
    const made = await this.api.create(LAUNCHER_PODS, launcherObject(name, options) as never);
    return made.metadata.uid;
  }

  async setPhase(pod: string, phase: string, namespace = "default"): Promise<void> {
    const body = { status: { phase } };
    const key = { namespace, name: pod };
    await this.api.patch(LAUNCHER_PODS, key, { type: "merge", body });
  }

  /** The agents say that each of `holders` holds a spoke; nothing else is attached anywhere. */
  async hold(
    lan: LanObject,
    spoke: string,
    holders: Readonly<
      Record<string, { name: string; uid: string; namespace?: string } | undefined>
    >,
  ): Promise<void> {
    const { namespace = "", name, uid } = lan.metadata;
    for (const [node, pod] of Object.entries(holders)) {
      const attached = pod === undefined ? 0 : 1;
      await this.report(node, {
        attached,
        lans: pod === undefined ? [] : [{ namespace, name, uid, attached, ready: true, mtu: 1426 }],
        attachments: pod === undefined ? [] : [{
          ...{ lanUid: uid, spoke, attach: "macvtap", ifname: "net1", containerID: "c0ffee" },
          pod: { namespace: "default", ...pod },
        }],
      });
    }
  }

  /** As in `a1: n1 old > n2 new`. */
  async migrations(name: string): Promise<string[]> {
    const { status } = await this.get(name);
    return status?.migrations?.map(({ spoke, from, to }) =>
      `${spoke}: ${from.node} ${from.name} > ${to.node ?? "?"} ${to.name}`
    ) ?? [];
  }

  async migrates(name: string, ...wanted: readonly string[]): Promise<void> {
    await until(`migrations of "${name}" are ${JSON.stringify(wanted)}`, async () => {
      return (await this.migrations(name)).join() === wanted.join();
    });
  }

  /** `reason` of all events about LANs of that name, in no order. */
  async events(name: string): Promise<string[]> {
    const { items } = await this.api.list(EVENTS);
    return items.filter(({ regarding }) => regarding?.name === name)
      .map(({ reason }) => reason ?? "").sort();
  }
}

export class ControllerStage extends LanUser implements AsyncDisposable {
  declare readonly api: FakeKubeApi;
  readonly log = new LogRecorder();
  readonly #running: RunningController[] = [];

  private constructor() {
    super(
      new FakeKubeApi({ withStatus: ["lans.lan.k8slan.io", "lannodes.lan.k8slan.io", "nodes"] }),
    );
  }

  /** A cluster with the namespace "default" and nothing else. */
  static async open(): Promise<ControllerStage> {
    const stage = new ControllerStage();
    await stage.addNamespace("default");
    return stage;
  }

  start(identity = "one"): RunningController {
    const stop = new AbortController();
    const controller = new Controller({
      ...{ api: this.api, leaseApi: this.api, identity, log: this.log, signal: stop.signal },
      lease: { namespace: SYSTEM_NAMESPACE, name: "leader" },
      clock: fastClock(HASTE),
    });
    const ended = controller.run();
    const running = {
      ...{ controller, ended },
      stop: async () => {
        stop.abort();
        await ended;
      },
    };
    this.#running.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) await running.stop();
  }
}

/** Two spokes, named as the LAN. */
export function lanOf(name: string, spec: object = {}, namespace = "default"): New<LanObject> {
  const vni = [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 16_000_000, 7) + 1;
  return {
    metadata: { namespace, name },
    spec: {
      ...{ ns: name, bridge: "br2", vxlan: "vx2", vni, defaultVxlanDev: "eth1" },
      spokes: [`${name}1`, `${name}2`],
      ...spec,
    },
  };
}
