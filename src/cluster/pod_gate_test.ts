import assert from "node:assert/strict";
import { FakeKubelet } from "../../tests/support/fake_kubelet.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { attachmentOnNode, lanNodeObject } from "../../tests/support/lan_node_objects.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import type { AttachAsk } from "../agent/attach_gate.ts";
import { K8slanError } from "../base/errors.ts";
import type { PodResources as Pod } from "../deviceplugin/messages.ts";
import { type HeldDevice, PodResources } from "../deviceplugin/pod_resources.ts";
import { type Holder, Holders } from "./holders.ts";
import { Migrations, type OpenMigration } from "./migrations.ts";
import { PodGate, refusal } from "./pod_gate.ts";

const POD = { namespace: "lab", name: "vm-1", uid: "u1" };
const LAN = seedLan();

function ask(change: Partial<AttachAsk> = {}): AttachAsk {
  return { lan: LAN, spoke: "pod1", attach: "macvtap", pod: POD, ...change };
}

function byHand(change: Partial<AttachAsk> = {}): AttachAsk {
  const { pod: _, ...rest } = ask(change);
  return rest;
}

function withoutSpoke(): AttachAsk {
  const { spoke: _, ...rest } = ask({ attach: "veth" });
  return rest;
}

function device(resource: string, deviceId: string): HeldDevice {
  return { namespace: "lab", pod: "vm-1", container: "compute", resource, deviceId };
}

const POD1 = device("macvtap.k8slan.io/pod1", "pod1");
const POD2 = device("macvtap.k8slan.io/pod2", "pod2");
const GPU = device("example.com/gpu", "0");
const ELSEWHERE: Holder = { node: "worker2", pod: { namespace: "lab", name: "vm-2", uid: "u2" } };

/** The VM of "vm-2" moves to the pod "vm-1". */
const MIGRATION: OpenMigration = {
  ...{ lanUid: SEED_UID, spoke: "pod1" },
  from: { node: "worker2", namespace: "lab", name: "vm-2", uid: "u2" },
  to: { node: "worker1", ...POD },
};

/** Who asks, the devices that the pod holds, who has the spoke elsewhere, and why not. */
const ROWS: readonly (readonly [
  string,
  AttachAsk,
  readonly HeldDevice[],
  Holder | undefined,
  string | undefined,
])[] = [
  ["a pod with the device", ask(), [GPU, POD1], undefined, undefined],
  ["a pod with this and another device of ours", ask(), [POD2, POD1], undefined, undefined],
  ["a pod without devices", ask(), [], undefined, "DeviceNotHeld"],
  ["a pod with the device of another spoke", ask(), [POD2], undefined, "DeviceNotHeld"],
  [
    "a pod with another device of the resource",
    ask(),
    [device("macvtap.k8slan.io/pod1", "pod2")],
    undefined,
    "DeviceNotHeld",
  ],
  [
    "a pod with the device of another resource",
    ask(),
    [device("example.com/pod1", "pod1"), device("macvtap.k8slan.io/pod1x", "pod1")],
    undefined,
    "DeviceNotHeld",
  ],
  [
    "a pod of which the runtime alone says that it has the device",
    ask({ deviceId: "pod1" }),
    [],
    undefined,
    "DeviceNotHeld",
  ],
  ["a veth without a device", ask({ attach: "veth" }), [], undefined, undefined],
  ["a veth without a spoke", withoutSpoke(), [], undefined, undefined],
  ["root by hand", byHand(), [], undefined, undefined],
  ["a macvtap on a spoke in use elsewhere", ask(), [POD1], ELSEWHERE, "SpokeInUse"],
  ["a veth on a spoke in use elsewhere", ask({ attach: "veth" }), [], ELSEWHERE, "SpokeInUse"],
  ["root by hand on a spoke in use elsewhere", byHand(), [], ELSEWHERE, "SpokeInUse"],
  // It will not be admitted later either.
  ["a pod that lacks device and spoke", ask(), [], ELSEWHERE, "DeviceNotHeld"],
];
for (const [who, asked, devices, holder, code] of ROWS) {
  Deno.test(`refusal() ${code === undefined ? "admits" : "refuses"} ${who}`, () => {
    assert.equal(refusal(asked, devices, holder)?.code, code);
  });
}

const THIRD = { namespace: "lab", name: "vm-3", uid: "u3" };
/** Who asks while a VM migrates, the devices that the pod holds, and why not. */
const MIGRATING: readonly (readonly [string, AttachAsk, readonly HeldDevice[], string?])[] = [
  ["the pod that a VM moves to", ask(), [POD1]],
  ["the pod that a VM moves to, without the device", ask(), [], "DeviceNotHeld"],
  ["the pod that a VM moves to, as a veth", ask({ attach: "veth" }), [], "SpokeInUse"],
  ["another pod with the device", ask({ pod: THIRD }), [POD1], "SpokeInUse"],
  ["a pod of its name", ask({ pod: { ...POD, uid: "u9" } }), [POD1], "SpokeInUse"],
  [
    "a pod of its name in another namespace",
    ask({ pod: { ...POD, namespace: "evil" } }),
    [POD1],
    "SpokeInUse",
  ],
  ["root by hand", byHand(), [], "SpokeInUse"],
];
for (const [who, asked, devices, code] of MIGRATING) {
  Deno.test(`refusal() ${code === undefined ? "admits" : "refuses"}, while a VM migrates, ${who}`, () => {
    assert.equal(refusal(asked, devices, ELSEWHERE, MIGRATION)?.code, code);
  });
}

Deno.test("refusal() says which pod alone may have the spoke of a VM that migrates", () => {
  assert.equal(
    refusal(ask({ pod: THIRD }), [POD1], ELSEWHERE, MIGRATION)?.message,
    'Spoke "pod1" of LAN "k8slan-system/lan-test" is attached to pod "lab/vm-2" on node ' +
      '"worker2", whose VM moves to pod "lab/vm-1": no other may have it meanwhile; delete that ' +
      "first or use another spoke",
  );
});

Deno.test("PodGate admits the pod that a VM moves to while the one it leaves holds the spoke", async () => {
  using setting = new Setting([pod("vm-1", "pod1"), pod("vm-3", "pod1")]);
  setting.holders.update([lanNodeObject("worker2", [{
    ...attachmentOnNode(SEED_UID, "pod1", "vm-2"),
    pod: { namespace: "lab", name: "vm-2", uid: "u2" },
  }])]);
  await setting.gate.admit(ask());
  assert.equal((await setting.refusal(ask({ pod: THIRD }))).code, "SpokeInUse");
});

Deno.test("refusal() says what the pod has and what to do", () => {
  assert.equal(
    refusal(ask(), [GPU, POD2, device("macvtap.k8slan.io/pod3", "x")], undefined)?.message,
    'Pod "lab/vm-1" does not hold the device of spoke "pod1" of LAN "k8slan-system/lan-test", but ' +
      '"macvtap.k8slan.io/pod2", "macvtap.k8slan.io/pod3" with device "x"; add ' +
      '"macvtap.k8slan.io/pod1: 1" under resources.limits of one of its containers, or attach it ' +
      "to a spoke whose device it holds (that of an init container does not count)",
  );
});

Deno.test("refusal() names node and pod that have the spoke, and may pass", () => {
  const inUse = refusal(ask(), [POD1], ELSEWHERE);
  assert.equal(
    inUse?.message,
    'Spoke "pod1" of LAN "k8slan-system/lan-test" is attached to pod "lab/vm-2" on node ' +
      '"worker2"; delete that first or use another spoke',
  );
  assert.equal(inUse.retriable, true);
  assert.match(
    refusal(ask(), [POD1], { node: "worker2" })?.message ?? "",
    /attached to a workload without a pod on node "worker2"/,
  );
});

Deno.test("refusal() stays short and printable whatever the names", () => {
  const long = "\u001b[2Jé\n".repeat(10_000);
  const pod = { namespace: long, name: long };
  const devices = Array.from({ length: 1_000 }, () => device(`macvtap.k8slan.io/${long}`, long));
  const cases = [
    refusal(ask({ pod }), devices, undefined),
    refusal(ask(), [POD1], { node: long, pod }),
  ];
  for (const refused of cases) {
    assert.ok(refused !== undefined);
    assert.match(refused.message, /^[\x20-\x7e…]{100,8000}$/);
  }
});

class Setting implements Disposable {
  readonly dir = new TempDir();
  readonly kubelet = new FakeKubelet(this.dir.path);
  readonly holders = new Holders("worker1");
  readonly socket = this.kubelet.podResourcesSocket;
  readonly gate = new PodGate({
    resources: new PodResources(this.socket, { deadline: 500 }),
    holders: this.holders,
    migrations: new Migrations([MIGRATION]),
    socket: this.socket,
  });

  /** With a kubelet of these pods; without any if there are none. */
  constructor(pods?: readonly Pod[]) {
    if (pods === undefined) return;
    this.kubelet.pods = pods;
    this.kubelet.start();
  }

  async refusal(asked: AttachAsk): Promise<K8slanError> {
    const error = await this.gate.admit(asked).then(() => undefined, (error) => error);
    assert.ok(error instanceof K8slanError, `it was admitted, or failed with ${error}`);
    return error;
  }

  [Symbol.dispose](): void {
    this.kubelet[Symbol.dispose]();
    this.dir[Symbol.dispose]();
  }
}

function pod(name: string, spoke: string): Pod {
  const devices = [{ resource_name: `macvtap.k8slan.io/${spoke}`, device_ids: [spoke] }];
  return { namespace: "lab", name, containers: [{ name: "compute", devices }] };
}

Deno.test("PodGate admits the pod that kubelet gave the device, and no other", async () => {
  using setting = new Setting([pod("vm-1", "pod1"), pod("vm-2", "pod2")]);
  await setting.gate.admit(ask());
  await setting.gate.admit(ask({ spoke: "pod2", pod: { namespace: "lab", name: "vm-2" } }));
  for (
    const other of [
      { namespace: "lab", name: "vm-2" },
      { namespace: "other", name: "vm-1" },
      { namespace: "lab", name: "vm-9" },
    ]
  ) {
    assert.equal((await setting.refusal(ask({ pod: other }))).code, "DeviceNotHeld");
  }
});

Deno.test("PodGate refuses a spoke that another node holds by then", async () => {
  using setting = new Setting([pod("vm-1", "pod1")]);
  const admitted = setting.gate.admit(ask());
  setting.holders.update([lanNodeObject("worker2", [attachmentOnNode(SEED_UID, "pod1", "vm")])]);
  await assert.rejects(admitted, /attached to pod "lab\/vm" on node "worker2"/);
  setting.holders.update([lanNodeObject("worker1", [attachmentOnNode(SEED_UID, "pod1", "vm")])]);
  await setting.gate.admit(ask());
});

Deno.test("PodGate refuses for now while kubelet cannot be asked, and says what it tried", async () => {
  using setting = new Setting();
  const refused = await setting.refusal(ask());
  assert.equal(refused.code, "KubeletUnavailable");
  assert.equal(refused.retriable, true);
  assert.match(refused.message, /^Cannot ask kubelet at ".*\/pod-resources\/kubelet\.sock" which /);
  assert.match(refused.message, /devices pod "lab\/vm-1" holds: .*; see that kubelet runs/);
  setting.kubelet.pods = [pod("vm-1", "pod1")];
  setting.kubelet.start();
  await setting.gate.admit(ask());
});

Deno.test("PodGate gives up on a kubelet that never has time", async () => {
  using setting = new Setting([pod("vm-1", "pod1")]);
  setting.kubelet.podResourcesRefusals = Infinity;
  assert.equal((await setting.refusal(ask())).code, "KubeletUnavailable");
});

Deno.test("PodGate asks kubelet for pods with a macvtap alone", async () => {
  using setting = new Setting();
  for (const asked of [ask({ attach: "veth" }), byHand(), byHand({ attach: "veth" })]) {
    await setting.gate.admit(asked);
  }
});

Deno.test("PodGate does not ask for pods that cannot be", async () => {
  using setting = new Setting();
  const name = "x".repeat(10_000);
  for (const pod of [{ namespace: "lab", name }, { namespace: name, name: "vm-1" }]) {
    const refused = await setting.refusal(ask({ pod }));
    assert.equal(refused.code, "DeviceNotHeld");
    assert.ok(refused.message.length < 1_000);
  }
});
