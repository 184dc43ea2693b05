import assert from "node:assert/strict";
import {
  DevicePluginSetting,
  devicesOf,
  manyResources,
  POD1,
} from "../../tests/support/device_plugin_setting.ts";
import { leaveSocket } from "../../tests/support/stale_socket.ts";
import { until } from "../../tests/support/until.ts";

const POD2 = "macvtap.k8slan.io/pod2";

/** What a node shows for one healthy device, an unhealthy one, and none. */
const HEALTHY = { capacity: 1, allocatable: 1 };
const UNHEALTHY = { capacity: 1, allocatable: 0 };
const NOTHING = { capacity: 0, allocatable: 0 };

function isCount(setting: DevicePluginSetting, resource: string, count: object): boolean {
  return JSON.stringify(setting.kubelet.count(resource)) === JSON.stringify(count);
}

/** Within 10 s: sooner than all is looked at anew without an event. */
async function reaches(
  setting: DevicePluginSetting,
  resource: string,
  count: object,
): Promise<void> {
  const what = `"${resource}" to be ${JSON.stringify(count)}`;
  await until(what, () => isCount(setting, resource, count));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("DevicePluginManager makes a device allocatable", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  await until("the state to show it", () => setting.isRegistered(POD1));
  const { container_responses } = await setting.kubelet.allocate(POD1, "pod1");
  assert.equal(container_responses[0]?.devices[0]?.host_path, "/dev/tap-pod1");
  assert.deepEqual(setting.manager.state(), {
    kubelet: { present: true },
    resources: new Map([[POD1, { registered: true }]]),
  });
});

Deno.test("DevicePluginManager tells of health as it changes", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1], { healthy: false }));
  await reaches(setting, POD1, UNHEALTHY);
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  setting.manager.setDevices(devicesOf([POD1], { healthy: false }));
  await reaches(setting, POD1, UNHEALTHY);
  assert.deepEqual(setting.kubelet.registrations, [POD1]);
});

Deno.test("DevicePluginManager is silent while nothing changes", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  const resources = manyResources(20);
  const wanted = devicesOf(resources);
  setting.manager.setDevices(wanted);
  await until("20 resources", () => setting.kubelet.allocatable === 20);
  // Kubelet's answers may come after its first look at the devices.
  await until(
    "the state to show them",
    () => resources.every((name) => setting.isRegistered(name)),
  );
  const before = setting.manager.counters;
  for (let i = 0; i < 10; i++) {
    setting.manager.setDevices(new Map(wanted));
    await pause(150);
  }
  assert.deepEqual(setting.manager.counters, before);
  assert.deepEqual(before, { lists: 20, allocations: 0, registrations: 20 });
});

Deno.test("DevicePluginManager withdraws a resource at once, and it alone", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1, POD2]));
  await reaches(setting, POD1, HEALTHY);
  await reaches(setting, POD2, HEALTHY);
  setting.manager.setDevices(devicesOf([POD2]));
  await reaches(setting, POD1, NOTHING);
  assert.deepEqual(setting.kubelet.count(POD2), HEALTHY);
  assert.throws(() => Deno.lstatSync(setting.socket("pod1")), Deno.errors.NotFound);
  assert.deepEqual([...setting.manager.state().resources.keys()], [POD2]);
});

Deno.test("DevicePluginManager offers again what it has just withdrawn", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  for (let round = 0; round < 5; round++) {
    setting.manager.setDevices(devicesOf([POD1]));
    await reaches(setting, POD1, HEALTHY);
    setting.manager.setDevices(new Map());
  }
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  await until("the state to show it", () => setting.isRegistered(POD1));
});

Deno.test("DevicePluginManager is back 2 s after a restart of kubelet", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1, POD2]));
  await reaches(setting, POD1, HEALTHY);
  for (let round = 0; round < 10; round++) {
    setting.kubelet.restart();
    assert.deepEqual(setting.kubelet.count(POD1), NOTHING);
    await reaches(setting, POD1, HEALTHY);
    await reaches(setting, POD2, HEALTHY);
  }
});

Deno.test("DevicePluginManager waits for a kubelet that is away", async () => {
  await using setting = new DevicePluginSetting();
  setting.manager.setDevices(devicesOf([POD1]));
  assert.deepEqual(setting.manager.state().kubelet, { present: false });
  await pause(1_500);
  setting.kubelet.start();
  await reaches(setting, POD1, HEALTHY);
});

Deno.test("DevicePluginManager is back 2 s after a kubelet whose socket stayed", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  setting.kubelet.kill();
  await until(
    "the state to show it",
    () => setting.manager.state().kubelet.problem !== undefined && !setting.isRegistered(POD1),
  );
  await pause(2_000); // the longest pause between two attempts
  setting.kubelet.start();
  await reaches(setting, POD1, HEALTHY);
  await until("the state to show it", () => setting.isRegistered(POD1));
  assert.deepEqual(setting.manager.state().kubelet, { present: true });
});

Deno.test("DevicePluginManager waits for a kubelet that listens but does not answer", async () => {
  await using setting = new DevicePluginSetting();
  const serving = Promise.withResolvers<void>();
  setting.kubelet.serves = serving.promise;
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf(manyResources(20)));
  await pause(1_000);
  serving.resolve();
  await until("20 resources", () => setting.kubelet.allocatable === 20);
});

Deno.test("DevicePluginManager registers again when kubelet hangs up", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  for (let round = 0; round < 3; round++) {
    const registrations = setting.kubelet.registrations.length;
    setting.kubelet.hangUp(POD1);
    await until("another registration", () => setting.kubelet.registrations.length > registrations);
    await reaches(setting, POD1, HEALTHY);
  }
});

Deno.test("DevicePluginManager makes a removed socket anew, and kubelet notices nothing", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  Deno.removeSync(setting.socket("pod1"));
  await until("the socket", () => Deno.lstatSync(setting.socket("pod1")).isSocket === true);
  setting.manager.setDevices(devicesOf([POD1], { healthy: false }));
  await reaches(setting, POD1, UNHEALTHY);
  assert.deepEqual(setting.kubelet.registrations, [POD1]);
});

Deno.test("DevicePluginManager takes its socket back from another process", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  Deno.removeSync(setting.socket("pod1"));
  using _thief = Deno.listen({ transport: "unix", path: setting.socket("pod1") });
  await until(
    "a warning",
    () => setting.log.messages("warn").includes("Another process had taken the socket"),
  );
  setting.kubelet.restart();
  await reaches(setting, POD1, HEALTHY);
});

Deno.test("DevicePluginManager follows kubelet into a folder made anew", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  for (let round = 0; round < 3; round++) {
    setting.kubelet.kill();
    Deno.removeSync(setting.kubelet.folder, { recursive: true });
    setting.kubelet.start();
    await reaches(setting, POD1, HEALTHY); // here the poll finds it
  }
});

Deno.test("DevicePluginManager registers 400 resources and survives a restart with them", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  const resources = manyResources(400);
  setting.manager.setDevices(devicesOf(resources));
  await until("400 resources", () => setting.kubelet.allocatable === 400, { timeout: 30_000 });
  setting.kubelet.restart();
  await until("400 resources again", () => setting.kubelet.allocatable === 400, {
    timeout: 30_000,
  });
  setting.manager.setDevices(new Map());
  await until("no resource", () => setting.kubelet.allocatable === 0, { timeout: 30_000 });
  assert.deepEqual(
    Array.from(Deno.readDirSync(setting.kubelet.folder), ({ name }) => name).sort(),
    ["kubelet.sock", "kubelet_internal_checkpoint"],
  );
});

Deno.test("DevicePluginManager shows why kubelet refuses a resource", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  const native = "kubernetes.io/pod1";
  setting.manager.setDevices(devicesOf([native, POD2]));
  await reaches(setting, POD2, HEALTHY);
  await until("the problem", () => {
    const { registered, problem } = setting.manager.state().resources.get(native) ?? {};
    return registered === false && problem?.includes("is invalid");
  });
  setting.manager.setDevices(devicesOf([POD2]));
  assert.deepEqual([...setting.manager.state().resources.keys()], [POD2]);
});

const BAD_NAMES = [
  "",
  "pod1",
  "macvtap.k8slan.io/",
  "/pod1",
  "macvtap.k8slan.io/../kubelet",
  "macvtap.k8slan.io/a/b",
  "macvtap.k8slan.io/..",
  "macvtap.k8slan.io/Pod1",
  "macvtap.k8slan.io/pod1\n",
  "macvtap.k8slan.io/\u0000",
  "macvtap.k8slan.io/" + "a".repeat(64),
  "__proto__",
];

Deno.test("DevicePluginManager offers the rest when a name is bad", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([...BAD_NAMES, POD1]));
  await reaches(setting, POD1, HEALTHY);
  for (const name of BAD_NAMES) {
    const { registered, problem } = setting.manager.state().resources.get(name) ?? {};
    assert.equal(registered, false);
    assert.match(`${problem}`, /is not "domain\/name"/);
  }
  assert.deepEqual(setting.kubelet.registrations, [POD1]);
});

Deno.test("DevicePluginManager waits until what is in its way is gone", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  Deno.writeTextFileSync(setting.socket("pod1"), "precious");
  setting.manager.setDevices(devicesOf([POD1, POD2]));
  await reaches(setting, POD2, HEALTHY);
  assert.match(`${setting.manager.state().resources.get(POD1)?.problem}`, /is not a socket/);
  Deno.removeSync(setting.socket("pod1"));
  await reaches(setting, POD1, HEALTHY);
  assert.equal(setting.manager.state().resources.get(POD1)?.problem, undefined);
});

Deno.test("DevicePluginManager removes the sockets that a dead agent left, and no others", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  const { folder } = setting.kubelet;
  for (const name of ["k8slan-old.sock", ".k8slan-half.sock", "nvidia.sock", "k8slan-other"]) {
    leaveSocket(`${folder}/${name}`);
  }
  Deno.writeTextFileSync(`${folder}/k8slan-note.sock`, "");
  const controller = new AbortController();
  const running = setting.manager.run(controller.signal);
  controller.abort();
  await running;
  assert.deepEqual(
    Array.from(Deno.readDirSync(folder), ({ name }) => name).sort(),
    ["k8slan-note.sock", "k8slan-other", "kubelet.sock", "nvidia.sock"],
  );
});

Deno.test("DevicePluginManager leaves its resources unhealthy when it ends", async () => {
  await using setting = new DevicePluginSetting();
  setting.kubelet.start();
  setting.manager.setDevices(devicesOf([POD1]));
  await reaches(setting, POD1, HEALTHY);
  setting.manager[Symbol.dispose]();
  await reaches(setting, POD1, UNHEALTHY);
  assert.throws(() => Deno.lstatSync(setting.socket("pod1")), Deno.errors.NotFound);
});
