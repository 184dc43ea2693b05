import assert from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import type { Attachment, PodIdentity } from "../agent/attachment.ts";
import type { PodName } from "../deviceplugin/pod_resources.ts";
import { isInformed, OrphanWatch } from "./orphan_watch.ts";

const MINUTE = 60_000;
/** A pod that lives as long as the test. */
const OTHER: PodName = { namespace: "kube-system", name: "other" };

function attachment(containerId: string, pod?: PodIdentity): Attachment {
  return {
    ...{ containerId, ifname: "net1", lanId: "a", lan: "lab/a", attach: "veth" },
    ...{ netnsPath: "/run/k8slan/netns/a", port: `${containerId}.b`, spoke: containerId },
    target: { path: `/run/netns/${containerId}`, identity: containerId },
    details: {
      ...{ network: "a", mac: "02:aa:00:00:00:01", mtu: 1426, ips: [], routes: [] },
      ...(pod === undefined ? {} : { pod }),
    },
  };
}

function pod(name: string): PodIdentity {
  return { namespace: "lab", name, uid: `uid-of-${name}` };
}

/** A watch beside a kubelet that answers `pods`, or fails. */
class Setting implements AsyncDisposable {
  attachments: readonly Attachment[] = [];
  pods: readonly PodName[] | Error = [];
  /** Times that kubelet was asked. */
  asked = 0;
  changes = 0;
  readonly clock = new FakeClock();
  readonly log = new LogRecorder();
  readonly watch = new OrphanWatch({
    node: "worker1",
    attachments: () => this.attachments,
    resources: { pods: () => this.#answer() },
    log: this.log,
    changed: () => this.changes++,
    clock: this.clock,
  });
  readonly #controller = new AbortController();
  readonly #running = this.watch.run(this.#controller.signal);

  constructor(attachments: readonly Attachment[], pods: readonly PodName[] | Error) {
    this.attachments = attachments;
    this.pods = pods;
  }

  /** Lets minutes pass, with a look at the end of each. */
  async pass(minutes: number): Promise<void> {
    await this.clock.advance(minutes * MINUTE);
  }

  get orphans(): number {
    return this.watch.problems().length;
  }

  async #answer(): Promise<readonly PodName[]> {
    this.asked++;
    if (this.pods instanceof Error) throw this.pods;
    return await Promise.resolve(this.pods);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#running;
  }
}

Deno.test("OrphanWatch reports an attachment whose pod two looks 2 minutes apart have missed", async () => {
  await using setting = new Setting([attachment("c1", pod("vm"))], [OTHER]);
  await setting.pass(2);
  assert.equal(setting.orphans, 0);
  await setting.pass(1);
  assert.deepEqual(setting.watch.problems(), [{
    reason: "AttachmentOrphaned",
    message: 'Interface "net1" of pod "lab/vm" is attached to spoke "c1" of LAN "lab/a", but ' +
      "kubelet does not know the pod any more; if nothing of it runs, remove its sandbox, or run " +
      '"k8slan detach --id c1 --ifname net1" on this node',
  }]);
  await setting.pass(10);
  assert.deepEqual(setting.log.messages("warn"), ["Problem"]);
});

Deno.test("OrphanWatch says no more of an attachment that is detached, or whose pod is back", async () => {
  const [first, second] = [attachment("c1", pod("a")), attachment("c2", pod("b"))];
  await using setting = new Setting([first, second], [OTHER]);
  await setting.pass(3);
  assert.equal(setting.orphans, 2);
  setting.attachments = [second];
  assert.equal(setting.orphans, 1);
  setting.pods = [OTHER, pod("b")];
  await setting.pass(1);
  assert.equal(setting.orphans, 0);
});

Deno.test("OrphanWatch counts anew when a pod was seen in between", async () => {
  await using setting = new Setting([attachment("c1", pod("vm"))], [OTHER]);
  await setting.pass(2);
  setting.pods = [OTHER, pod("vm")];
  await setting.pass(1);
  setting.pods = [OTHER];
  await setting.pass(2);
  assert.equal(setting.orphans, 0);
  await setting.pass(1);
  assert.equal(setting.orphans, 1);
});

const UNTOUCHED: readonly (readonly [string, Attachment])[] = [
  ["was made by hand", attachment("c1")],
  ["belongs to a pod without UID", attachment("c1", { namespace: "lab", name: "vm" })],
  ["belongs to a pod that kubelet knows", attachment("c1", { ...OTHER, uid: "u" })],
];
for (const [which, untouched] of UNTOUCHED) {
  Deno.test(`OrphanWatch has nothing to say of an attachment that ${which}`, async () => {
    await using setting = new Setting([untouched], [OTHER]);
    await setting.pass(10);
    assert.equal(setting.orphans, 0);
  });
}

const UNINFORMED: readonly (readonly [string, readonly PodName[] | Error])[] = [
  ["cannot be asked", new Error("no such socket")],
  ["knows no pod", []],
  ["knows pods from files alone", [{ namespace: "kube-system", name: "etcd-worker1" }]],
];
for (const [which, pods] of UNINFORMED) {
  Deno.test(`OrphanWatch learns nothing from a kubelet that ${which}`, async () => {
    await using setting = new Setting([attachment("c1", pod("vm"))], pods);
    await setting.pass(10);
    assert.equal(setting.asked, 10);
    assert.equal(setting.orphans, 0);
    setting.pods = [OTHER];
    await setting.pass(2);
    assert.equal(setting.orphans, 0);
    // What it found out stands while kubelet is away again.
    await setting.pass(1);
    setting.pods = pods;
    await setting.pass(5);
    assert.equal(setting.orphans, 1);
  });
}

Deno.test("OrphanWatch does not ask kubelet while no pod is attached", async () => {
  await using setting = new Setting([attachment("c1")], [OTHER]);
  await setting.pass(10);
  assert.equal(setting.asked, 0);
});

Deno.test("OrphanWatch counts what is too much to be told one by one", async () => {
  const orphans = Array.from({ length: 20 }, (_, i) => attachment(`c${i}`, pod(`vm${i}`)));
  await using setting = new Setting(orphans, [OTHER]);
  await setting.pass(3);
  const problems = setting.watch.problems();
  assert.equal(problems.length, 9);
  assert.equal(problems.at(-1)?.message, "There are 12 more attachments of such pods");
  assert.ok(setting.changes > 0);
});

Deno.test("isInformed() wants a pod that is no file's", () => {
  const named = (...names: string[]) => names.map((name) => ({ namespace: "n", name }));
  assert.equal(isInformed(named(), "worker1"), false);
  assert.equal(isInformed(named("etcd-worker1", "apiserver-worker1"), "worker1"), false);
  assert.equal(isInformed(named("etcd-worker1", "k8slan-ds-x7k2p"), "worker1"), true);
});
