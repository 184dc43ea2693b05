import assert from "node:assert/strict";
import { DevicePluginSetting, devicesOf } from "../../tests/support/device_plugin_setting.ts";
import { FakeKubelet } from "../../tests/support/fake_kubelet.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import type { GrpcHandler } from "./grpc_call.ts";
import { GrpcError } from "./grpc_error.ts";
import { GrpcListener } from "./grpc_listener.ts";
import type { PodResources as Pod } from "./messages.ts";
import { type HeldDevice, PodResources } from "./pod_resources.ts";

const GPU = "example.com/gpu";
const POD1 = "macvtap.k8slan.io/pod1";

const PODS: readonly Pod[] = [
  {
    name: "vm-1",
    namespace: "lab",
    containers: [
      {
        name: "compute",
        devices: [
          { resource_name: POD1, device_ids: ["pod1"] },
          { resource_name: GPU, device_ids: ["0", "1"] },
        ],
      },
      { name: "helper", devices: [] },
    ],
  },
  { name: "vm-1", namespace: "other", containers: [] },
];

const HELD: readonly HeldDevice[] = [
  { namespace: "lab", pod: "vm-1", container: "compute", resource: POD1, deviceId: "pod1" },
  { namespace: "lab", pod: "vm-1", container: "compute", resource: GPU, deviceId: "0" },
  { namespace: "lab", pod: "vm-1", container: "compute", resource: GPU, deviceId: "1" },
];

class Setting implements Disposable {
  readonly dir = new TempDir();
  readonly kubelet = new FakeKubelet(this.dir.path);
  readonly resources = new PodResources(this.kubelet.podResourcesSocket);

  static start(): Setting {
    const setting = new Setting();
    setting.kubelet.pods = PODS;
    setting.kubelet.start();
    return setting;
  }

  [Symbol.dispose](): void {
    this.kubelet[Symbol.dispose]();
    this.dir[Symbol.dispose]();
  }
}

Deno.test("PodResources lists who holds which device of which resource", async () => {
  using setting = Setting.start();
  assert.deepEqual(await setting.resources.list(), HELD);
});

Deno.test("PodResources names all pods, those without devices too", async () => {
  using setting = Setting.start();
  assert.deepEqual(await setting.resources.pods(), [
    { namespace: "lab", name: "vm-1" },
    { namespace: "other", name: "vm-1" },
  ]);
});

for (const hasGet of [true, false]) {
  const which = hasGet ? "a kubelet" : "a kubelet that cannot be asked for one pod";

  Deno.test(`PodResources finds the devices of a pod with ${which}`, async () => {
    using setting = Setting.start();
    setting.kubelet.hasGet = hasGet;
    assert.deepEqual(await setting.resources.ofPod("lab", "vm-1"), HELD);
    assert.deepEqual(await setting.resources.ofPod("other", "vm-1"), []);
  });

  Deno.test(`PodResources finds nothing for an unknown pod with ${which}`, async () => {
    using setting = Setting.start();
    setting.kubelet.hasGet = hasGet;
    assert.deepEqual(await setting.resources.ofPod("lab", "vm-2"), []);
    assert.deepEqual(await setting.resources.ofPod("", ""), []);
  });
}

Deno.test("PodResources asks again when kubelet has too many calls", async () => {
  using setting = Setting.start();
  setting.kubelet.podResourcesRefusals = 5;
  assert.equal((await setting.resources.ofPod("lab", "vm-1")).length, 3);
});

Deno.test("PodResources answers many askers at once", async () => {
  using setting = Setting.start();
  setting.kubelet.podResourcesRefusals = 30;
  const answers = await Promise.all(
    Array.from({ length: 32 }, () => setting.resources.ofPod("lab", "vm-1")),
  );
  assert.ok(answers.every(({ length }) => length === 3));
});

Deno.test("PodResources fails when kubelet refuses for too long", async () => {
  using setting = Setting.start();
  setting.kubelet.podResourcesRefusals = Infinity;
  const resources = new PodResources(setting.kubelet.podResourcesSocket, { deadline: 1_000 });
  await assert.rejects(
    resources.list(),
    (error) => error instanceof GrpcError && error.code === "ResourceExhausted",
  );
});

Deno.test("PodResources says that kubelet refused where the last try gets no answer in time", async () => {
  using dir = new TempDir();
  let calls = 0;
  const handler: GrpcHandler = (call) => {
    if (calls++ === 0) call.fail("ResourceExhausted", "rejected by rate limit");
  };
  const path = `${dir.path}/kubelet.sock`;
  using listener = new GrpcListener(path, new Map([["/v1.PodResourcesLister/List", handler]]));
  listener.listen();
  await assert.rejects(
    new PodResources(path, { deadline: 1_000 }).list(),
    (error) => error instanceof GrpcError && error.code === "ResourceExhausted",
  );
  assert.equal(calls, 2);
});

Deno.test("PodResources fails when there is no kubelet", async () => {
  const resources = new PodResources("/nonexistent/kubelet.sock");
  const calls = [
    () => resources.list(),
    () => resources.pods(),
    () => resources.ofPod("lab", "vm-1"),
    () => resources.allocatable(),
  ];
  for (const call of calls) {
    await assert.rejects(
      call(),
      (error) => error instanceof GrpcError && error.code === "Unavailable",
    );
  }
});

Deno.test("PodResources answers for the next kubelet after a restart", async () => {
  using setting = Setting.start();
  for (let round = 0; round < 5; round++) {
    assert.equal((await setting.resources.list()).length, 3);
    setting.kubelet.restart();
  }
});

Deno.test("PodResources shows the healthy devices of each resource", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  const sick = devicesOf(["macvtap.k8slan.io/sick"], { healthy: false });
  setting.manager.setDevices(new Map([...devicesOf([POD1]), ...sick]));
  const resources = new PodResources(setting.kubelet.podResourcesSocket);
  // A resource is known, with no devices, from its registration until its first list.
  await until("both resources", async () => {
    const found = await resources.allocatable();
    return found.size === 2 && found.get(POD1)?.length === 1;
  });
  assert.deepEqual((await resources.allocatable()).get(POD1), ["pod1"]);
  assert.deepEqual((await resources.allocatable()).get("macvtap.k8slan.io/sick"), []);
});
