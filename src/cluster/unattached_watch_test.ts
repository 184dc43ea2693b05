import assert from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import type { Attachment } from "../agent/attachment.ts";
import type { HeldDevice, PodName } from "../deviceplugin/pod_resources.ts";
import { UnattachedWatch } from "./unattached_watch.ts";

const POD: PodName = { namespace: "lab", name: "vm" };
const FOUND = [{ lanUid: SEED_UID, spoke: "pod1", pod: POD }];
const HELD: HeldDevice = {
  ...{ namespace: "lab", pod: "vm", container: "c" },
  ...{ resource: "macvtap.k8slan.io/pod1", deviceId: "pod1" },
};
const OTHERS: readonly HeldDevice[] = [
  { ...HELD, pod: "other", resource: "macvtap.k8slan.io/pod2", deviceId: "pod2" },
  { ...HELD, pod: "foreign", resource: "example.com/pod1" },
];

/** A watch over the README's LAN beside a kubelet that answers `devices`, or fails. */
class Setting implements Disposable {
  devices: readonly HeldDevice[] | Error = [...OTHERS, HELD];
  lan: ReturnType<typeof seedLan> | undefined = seedLan();
  attachment: Attachment | undefined;
  /** Called while kubelet thinks. */
  meanwhile = () => {};
  /** Times that kubelet was asked. */
  asked = 0;
  changes = 0;
  readonly clock = new FakeClock();
  readonly watch = new UnattachedWatch({
    registry: { ofSpoke: () => this.lan },
    attachments: { holder: () => this.attachment },
    resources: { list: () => this.#answer() },
    changed: () => this.changes++,
    log: new LogRecorder(),
    clock: this.clock,
  });

  constructor() {
    this.watch.allocated("pod1");
  }

  async #answer(): Promise<readonly HeldDevice[]> {
    this.asked++;
    await Promise.resolve();
    this.meanwhile();
    if (this.devices instanceof Error) throw this.devices;
    return this.devices;
  }

  [Symbol.dispose](): void {
    this.watch[Symbol.dispose]();
    assert.equal(this.clock.sleepers, 0);
  }
}

const ATTACHMENT: Attachment = {
  ...{ containerId: "c1", ifname: "net1", lanId: SEED_UID, lan: "k8slan-system/lan-test" },
  ...{ netnsPath: "/run/k8slan/netns/knlvrf", port: "pod1.b", spoke: "pod1", attach: "macvtap" },
};

Deno.test("UnattachedWatch finds who holds a device 5 s later, and tells for 5 minutes", async () => {
  using setting = new Setting();
  await setting.clock.advance(4_999);
  assert.deepEqual([setting.asked, setting.watch.found()], [0, []]);
  await setting.clock.advance(1);
  assert.deepEqual([setting.asked, setting.changes, setting.watch.found()], [1, 1, FOUND]);
  await setting.clock.advance(300_000);
  assert.deepEqual([setting.asked, setting.changes, setting.watch.found()], [1, 2, []]);
  assert.equal(setting.clock.sleepers, 0);
});

Deno.test("UnattachedWatch does not ask kubelet where the spoke is attached by then", async () => {
  using setting = new Setting();
  setting.attachment = ATTACHMENT;
  await setting.clock.advance(600_000);
  assert.deepEqual([setting.asked, setting.changes, setting.clock.sleepers], [0, 0, 0]);
});

Deno.test("UnattachedWatch tells no more of a pod that is attached at last", async () => {
  using setting = new Setting();
  await setting.clock.advance(5_000);
  assert.deepEqual(setting.watch.found(), FOUND);
  setting.attachment = ATTACHMENT;
  assert.deepEqual(setting.watch.found(), []);
});

Deno.test("UnattachedWatch tells no more of a LAN that is gone, or replaced by another one", async () => {
  using setting = new Setting();
  await setting.clock.advance(5_000);
  for (const lan of [undefined, seedLan({}, "another")]) {
    setting.lan = lan;
    assert.deepEqual(setting.watch.found(), []);
  }
});

Deno.test("UnattachedWatch says nothing of a pod that was attached and is detached again", async () => {
  for (const attachedAt of [0, 5_000]) {
    using setting = new Setting();
    await setting.clock.advance(attachedAt);
    setting.attachment = ATTACHMENT;
    setting.watch.attachmentsChanged();
    setting.attachment = undefined;
    setting.watch.attachmentsChanged();
    await setting.clock.advance(4_000);
    assert.deepEqual(setting.watch.found(), []);
    await setting.clock.advance(5_000);
    assert.deepEqual(setting.watch.found(), []);
  }
});

Deno.test("UnattachedWatch finds a pod that has the device after one that was attached", async () => {
  using setting = new Setting();
  setting.attachment = ATTACHMENT;
  setting.watch.allocated("pod1");
  setting.watch.attachmentsChanged();
  setting.attachment = undefined;
  setting.watch.attachmentsChanged();
  await setting.clock.advance(5_000);
  assert.deepEqual(setting.watch.found(), FOUND);
});

const UNKNOWN: readonly (readonly [string, readonly HeldDevice[] | Error])[] = [
  ["does not know who holds the device", OTHERS],
  ["does not answer", new Error("no kubelet")],
];
for (const [what, devices] of UNKNOWN) {
  Deno.test(`UnattachedWatch asks three times a kubelet that ${what}`, async () => {
    using setting = new Setting();
    setting.devices = devices;
    await setting.clock.advance(5_000);
    await setting.clock.advance(15_000);
    assert.equal(setting.asked, 2);
    await setting.clock.advance(600_000);
    assert.deepEqual([setting.asked, setting.changes, setting.clock.sleepers], [3, 0, 0]);
  });
}

Deno.test("UnattachedWatch finds a pod that kubelet lists late", async () => {
  using setting = new Setting();
  setting.devices = OTHERS;
  await setting.clock.advance(5_000);
  setting.devices = [HELD];
  await setting.clock.advance(15_000);
  assert.deepEqual([setting.asked, setting.watch.found()], [2, FOUND]);
});

const MEANWHILE: readonly (readonly [string, (setting: Setting) => void])[] = [
  ["whose attachment failed", ({ watch }) => watch.attachFailed({ ...POD })],
  ["that is attached while kubelet answers", (setting) => {
    setting.meanwhile = () => setting.attachment = ATTACHMENT;
  }],
  ["whose attachment fails while kubelet answers", (setting) => {
    setting.meanwhile = () => setting.watch.attachFailed(POD);
  }],
  ["whose LAN has gone", (setting) => setting.lan = undefined],
];
for (const [what, happens] of MEANWHILE) {
  Deno.test(`UnattachedWatch says nothing of a pod ${what}`, async () => {
    using setting = new Setting();
    happens(setting);
    await setting.clock.advance(600_000);
    assert.deepEqual([setting.changes, setting.watch.found()], [0, []]);
    assert.ok(setting.asked <= 1);
  });
}

Deno.test("UnattachedWatch tells of a pod where another one's attachment failed, or its own before", async () => {
  using setting = new Setting();
  setting.watch.attachFailed({ ...POD, name: "other" });
  setting.watch.attachFailed(POD);
  setting.watch.allocated("pod1");
  await setting.clock.advance(5_000);
  assert.deepEqual(setting.watch.found(), FOUND);
});

Deno.test("UnattachedWatch begins anew when the device is given away again", async () => {
  using setting = new Setting();
  await setting.clock.advance(5_000);
  setting.watch.allocated("pod1");
  assert.deepEqual([setting.changes, setting.watch.found()], [2, []]);
  setting.devices = [{ ...HELD, pod: "next" }];
  await setting.clock.advance(5_000);
  assert.deepEqual(setting.watch.found().map(({ pod }) => pod.name), ["next"]);
});

Deno.test("UnattachedWatch forgets an answer that comes after a newer allocation", async () => {
  using setting = new Setting();
  setting.meanwhile = () => {
    setting.meanwhile = () => {};
    setting.watch.allocated("pod1");
  };
  await setting.clock.advance(5_000);
  assert.deepEqual([setting.asked, setting.watch.found()], [1, []]);
  await setting.clock.advance(5_000);
  assert.deepEqual([setting.asked, setting.watch.found()], [2, FOUND]);
});
