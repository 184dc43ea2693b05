import { deepEqual, equal } from "node:assert/strict";
import { ControllerStage } from "../../tests/support/controller_stage.ts";
import { until } from "../../tests/support/until.ts";
import { RESOURCE_NAME_ANNOTATION } from "../api/names.ts";
import { EVENTS, type LanObject, NETWORK_ATTACHMENT_DEFINITIONS, PODS } from "../kube/resources.ts";

interface PodOptions {
  readonly networks?: string;
  readonly namespace?: string;
  readonly node?: string;
  readonly phase?: string;
}

/** A cluster whose controller leads, with LAN "default/a" of spokes a1 and a2. */
class Setting implements AsyncDisposable {
  readonly stage: ControllerStage;
  readonly lan: LanObject;

  private constructor(stage: ControllerStage, lan: LanObject) {
    this.stage = stage;
    this.lan = lan;
  }

  static async open(): Promise<Setting> {
    const stage = await ControllerStage.open();
    stage.start();
    await stage.addNode("n1");
    const lan = await stage.create("a");
    await stage.says("a", "Ready", "True/Ready");
    return new Setting(stage, lan);
  }

  /** Returns its UID. */
  async addPod(name: string, options: PodOptions = {}): Promise<string> {
    const { networks, namespace = "default", node = "n1", phase = "Pending" } = options;
    const annotations = networks === undefined ? {} : { "k8s.v1.cni.cncf.io/networks": networks };
    const pod = {
      metadata: { name, namespace, annotations },
      spec: { nodeName: node, containers: [] },
      status: { phase },
    };
    return (await this.stage.api.create(PODS, pod)).metadata.uid;
  }

  /** The agent of a node says that the pods hold spoke "a1" and are not attached. */
  async report(...names: readonly string[]): Promise<void> {
    await this.stage.report("n1", {
      unattached: names.map((text) => {
        const [name = "", namespace = "default"] = text.split("@");
        return { lanUid: this.lan.metadata.uid, spoke: "a1", pod: { namespace, name } };
      }),
    });
  }

  /** The events about pods. */
  async events() {
    const { items } = await this.stage.api.list(EVENTS);
    return items.filter(({ regarding }) => regarding?.kind === "Pod");
  }

  /** The names of pods with an event, once the last one has one; they are looked at in turn. */
  async told(last: string): Promise<readonly (string | undefined)[]> {
    return await until(`pod "${last}" is told`, async () => {
      const names = (await this.events()).map(({ regarding }) => regarding?.name);
      return names.includes(last) && names;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
  }
}

Deno.test("UnattachedPods tells a pod with its UID which network it lacks, once", async () => {
  await using setting = await Setting.open();
  const uid = await setting.addPod("vm");
  await setting.report("vm");
  await setting.told("vm");
  await setting.addPod("next");
  await setting.report("vm", "next");
  await setting.told("next");
  const events = await setting.events();
  equal(events.length, 2);
  const event = events.find(({ regarding }) => regarding?.name === "vm");
  const { kind, namespace, uid: told } = event?.regarding ?? {};
  deepEqual([kind, namespace, told], ["Pod", "default", uid]);
  deepEqual([event?.metadata.namespace, event?.type, event?.reason, event?.series], [
    ...["default", "Warning", "NetworkMissing", undefined],
  ]);
  equal(
    event?.note,
    'Pod holds the device of spoke "a1" of LAN "default/a" but is not attached to it: make the ' +
      'pod anew with the annotation "k8s.v1.cni.cncf.io/networks: a1" (a ' +
      'NetworkAttachmentDefinition of the LAN), or without "macvtap.k8slan.io/a1" in its resources',
  );
});

Deno.test("UnattachedPods tells a pod where its LAN is not offered", async () => {
  await using setting = await Setting.open();
  await setting.stage.addNamespace("blue");
  await setting.addPod("vm", { namespace: "blue" });
  await setting.report("vm@blue");
  await setting.told("vm");
  const [event] = await setting.events();
  equal(
    event?.note,
    'Pod holds the device of spoke "a1" of LAN "default/a" but is not attached to it, which is ' +
      'not offered in namespace "blue": add that to the LAN\'s spec.namespaces and make the pod ' +
      'anew with the annotation "k8s.v1.cni.cncf.io/networks: a1", or make it without ' +
      '"macvtap.k8slan.io/a1" in its resources',
  );
});

const SILENT: readonly (readonly [string, PodOptions])[] = [
  ["names the network", { networks: "a2,a1@net1" }],
  ["names the network in JSON", { networks: '[{"name":"a1","namespace":"default"}]' }],
  ["names a network of that device", { networks: "by-device" }],
  ["names a network of that spoke", { networks: "by-config" }],
  ["names a network that does not exist", { networks: "a2,absent" }],
  ["names something that is no network", { networks: "[" }],
  ["is on another node", { node: "n2" }],
  ["has failed", { phase: "Failed" }],
];
for (const [what, options] of SILENT) {
  Deno.test(`UnattachedPods says nothing to a pod that ${what}`, async () => {
    await using setting = await Setting.open();
    const { api } = setting.stage;
    for (
      const [name, annotations, config] of [
        ["by-device", { [RESOURCE_NAME_ANNOTATION]: "macvtap.k8slan.io/a1" }, {}],
        ["by-config", {}, { type: "k8slan", lan: "a", spoke: "a1" }],
      ] as const
    ) {
      await api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
        ...{ metadata: { name, namespace: "default", annotations } },
        spec: { config: JSON.stringify(config) },
      });
    }
    await setting.addPod("silent", options);
    await setting.addPod("last", { networks: "a2,a-any" });
    await setting.report("absent", "silent", "last");
    deepEqual(await setting.told("last"), ["last"]);
  });
}

Deno.test("UnattachedPods tells the next pod of a name as well", async () => {
  await using setting = await Setting.open();
  await setting.addPod("vm");
  await setting.report("vm");
  await setting.told("vm");
  await setting.addPod("last");
  await setting.report("last");
  await setting.told("last");
  await setting.stage.api.delete(PODS, { namespace: "default", name: "vm" });
  const uid = await setting.addPod("vm");
  await setting.report("vm");
  await until("the next one is told", async () => {
    return (await setting.events()).some(({ regarding }) => regarding?.uid === uid);
  });
});
