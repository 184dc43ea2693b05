import assert from "node:assert/strict";
import { FakeClock, settle } from "../../tests/support/fake_clock.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import type { LanNodeStatus } from "../api/lan_node.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import { LAN_NODES, type LanNodeObject } from "../kube/resources.ts";
import { watchResource } from "../kube/watcher.ts";
import { NodeReporter } from "./node_reporter.ts";

const KEY = { name: "worker1" };
const CREATE = "create lannodes.lan.k8slan.io worker1";
const PATCH = "patch lannodes.lan.k8slan.io worker1";
const GET = "get lannodes.lan.k8slan.io worker1";

function statusOf(attached: number, change: Partial<LanNodeStatus> = {}): LanNodeStatus {
  return { version: "0.1.0", attached, ...change };
}

/** A reporter at work; what it says is `status`. */
class Setting {
  readonly clock = new FakeClock();
  readonly log = new LogRecorder();
  readonly api: FakeKubeApi;
  readonly reporter: NodeReporter;
  status = statusOf(0);
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>[] = [];

  constructor(api = new FakeKubeApi({ withStatus: ["lannodes.lan.k8slan.io"] })) {
    this.api = api;
    this.reporter = new NodeReporter({
      ...{ api, node: "worker1", log: this.log, clock: this.clock, random: () => 1 },
      report: () => this.status,
    });
  }

  start(): this {
    this.#running.push(this.reporter.run(this.#stop.signal));
    return this;
  }

  /** Lets the reporter see what a watch tells. */
  watch(): this {
    const { signal } = this.#stop;
    const tell = async () => {
      for await (const event of watchResource(this.api, LAN_NODES, { signal, random: () => 0 })) {
        if (event.type === "synced") continue;
        this.reporter.seen(event.type === "deleted" ? undefined : event.object);
      }
    };
    this.#running.push(tell());
    return this;
  }

  say(status: LanNodeStatus): void {
    this.status = status;
    this.reporter.changed();
  }

  async stored(): Promise<LanNodeObject | undefined> {
    const before = this.api.onCall;
    this.api.onCall = () => {};
    const object = await this.api.get(LAN_NODES, KEY);
    this.api.onCall = before;
    this.api.calls.pop();
    return object;
  }

  /** The calls since the last time, watching aside. */
  calls(): string[] {
    const made = this.api.calls.filter((call) => !/^(list|watch)/.test(call));
    this.api.calls.length = 0;
    return made;
  }

  /** Somebody else changes the object. */
  async meddle(status: object): Promise<void> {
    const patch = { type: "merge", body: { status } } as const;
    await this.api.patch(LAN_NODES, KEY, patch, { subresource: "status" });
    this.api.calls.pop();
    await settle();
  }

  async remove(): Promise<void> {
    await this.api.delete(LAN_NODES, KEY);
    this.api.calls.pop();
    await settle();
  }

  breakApi(): void {
    this.api.onCall = () => {
      throw kubeErrorOf("call", 503, "away");
    };
  }

  healApi(): void {
    this.api.onCall = () => {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }
}

/** One that has written its first status. */
async function settled(): Promise<Setting> {
  const setting = new Setting().start();
  await setting.clock.advance(1_000);
  setting.watch();
  await setting.clock.advance(1_000);
  setting.calls();
  return setting;
}

Deno.test("NodeReporter makes the object and writes its status", async () => {
  await using setting = new Setting().start();
  await setting.clock.advance(100);
  assert.deepEqual(setting.calls(), [GET, CREATE, PATCH]);
  const object = await setting.stored();
  assert.deepEqual(object?.status, statusOf(0));
  assert.deepEqual(object?.metadata.labels, { "app.kubernetes.io/managed-by": "k8slan" });
});

Deno.test("NodeReporter writes nothing after a restart that changed nothing", async () => {
  await using former = await settled();
  await using setting = new Setting(former.api).start().watch();
  await setting.clock.advance(60_000);
  assert.deepEqual(setting.calls().filter((call) => call !== GET), []);
});

Deno.test("NodeReporter writes nothing for changes that come to nothing", async () => {
  await using setting = await settled();
  for (let i = 0; i < 20; i++) {
    setting.reporter.changed();
    await setting.clock.advance(1_000);
  }
  assert.deepEqual(setting.calls(), []);
});

Deno.test("NodeReporter gathers changes that come close together", async () => {
  await using setting = await settled();
  for (let attached = 1; attached <= 4; attached++) {
    setting.say(statusOf(attached));
    await setting.clock.advance(50);
  }
  assert.deepEqual(setting.calls(), []);
  await setting.clock.advance(100);
  assert.deepEqual(setting.calls(), [PATCH]);
  assert.equal((await setting.stored())?.status?.attached, 4);
});

Deno.test("NodeReporter writes each 300 ms at most, and the last state within that", async () => {
  await using setting = await settled();
  for (let attached = 1; attached <= 100; attached++) {
    setting.say(statusOf(attached));
    await setting.clock.advance(30);
  }
  await setting.clock.advance(300);
  const { length } = setting.calls();
  assert.ok(length >= 5 && length <= 11, String(length));
  assert.equal((await setting.stored())?.status?.attached, 100);
});

Deno.test("NodeReporter takes out what there is no more", async () => {
  await using setting = await settled();
  setting.say(statusOf(0, { problems: [{ reason: "AliasTaken", message: "m" }] }));
  await setting.clock.advance(500);
  setting.say(statusOf(0));
  await setting.clock.advance(500);
  assert.deepEqual((await setting.stored())?.status, statusOf(0));
});

Deno.test("NodeReporter puts right what somebody else wrote", async () => {
  await using setting = await settled();
  await setting.meddle({ attached: 7, problems: [{ reason: "Forged", message: "m" }] });
  await setting.clock.advance(500);
  assert.deepEqual(setting.calls(), [PATCH]);
  assert.deepEqual((await setting.stored())?.status, statusOf(0));
});

Deno.test("NodeReporter puts its label back", async () => {
  await using setting = await settled();
  const patch = { type: "merge", body: { metadata: { labels: null } } } as const;
  await setting.api.patch(LAN_NODES, KEY, patch);
  await setting.clock.advance(1_000);
  const object = await setting.stored();
  assert.deepEqual(object?.metadata.labels, { "app.kubernetes.io/managed-by": "k8slan" });
});

Deno.test("NodeReporter makes the object again when it was deleted", async () => {
  await using setting = await settled();
  await setting.remove();
  await setting.clock.advance(500);
  assert.deepEqual(setting.calls(), [CREATE, PATCH]);
  assert.deepEqual((await setting.stored())?.status, statusOf(0));
});

Deno.test("NodeReporter contradicts ever more slowly", async () => {
  await using setting = await settled();
  for (let second = 0; second < 600; second++) {
    if (await setting.stored() !== undefined) await setting.remove();
    await setting.clock.advance(1_000);
  }
  const { length } = setting.calls().filter((call) => call === CREATE);
  assert.ok(length > 10 && length < 40, String(length));
  setting.say(statusOf(1));
  await setting.clock.advance(500);
  assert.equal((await setting.stored())?.status?.attached, 1);
});

Deno.test("NodeReporter writes the newest state once the API server is back", async () => {
  await using setting = await settled();
  setting.breakApi();
  for (let attached = 1; attached <= 5; attached++) {
    setting.say(statusOf(attached));
    await setting.clock.advance(60_000);
  }
  assert.deepEqual(setting.calls(), []);
  assert.match(setting.reporter.state.problem ?? "", /503/);
  setting.healApi();
  await setting.clock.advance(30_000);
  assert.deepEqual(setting.calls(), [GET, PATCH]);
  assert.equal((await setting.stored())?.status?.attached, 5);
  assert.equal(setting.reporter.state.problem, undefined);
});

Deno.test("NodeReporter waits at most 30 s, and logs one failure once", async () => {
  await using setting = await settled();
  let tries = 0;
  setting.api.onCall = (verb) => {
    if (verb === "patch" || verb === "get") tries++;
    throw kubeErrorOf("call", 503, "away");
  };
  setting.say(statusOf(1));
  await setting.clock.advance(600_000);
  assert.ok(tries > 20 && tries < 40, String(tries));
  assert.deepEqual(setting.log.messages("warn"), ["Cannot write the LANNode object"]);
});

Deno.test("NodeReporter.apiServerAnswers() ends the wait after a failure", async () => {
  await using setting = await settled();
  setting.breakApi();
  setting.say(statusOf(1));
  await setting.clock.advance(100_000);
  setting.healApi();
  setting.reporter.apiServerAnswers();
  await setting.clock.advance(100);
  assert.equal((await setting.stored())?.status?.attached, 1);
});

Deno.test("NodeReporter finds out what became of a write whose answer was lost", async () => {
  await using setting = await settled();
  const patch = setting.api.patch.bind(setting.api);
  setting.api.patch = async (...call) => {
    await patch(...call);
    setting.api.patch = patch;
    throw new Error("connection reset");
  };
  setting.say(statusOf(1));
  await setting.clock.advance(5_000);
  assert.deepEqual(setting.calls().filter((call) => call === PATCH), [PATCH]);
  assert.equal((await setting.stored())?.status?.attached, 1);
});

Deno.test("NodeReporter is not misled by what a watch tells late", async () => {
  await using setting = new Setting().start();
  await setting.clock.advance(1_000);
  const versions: (LanNodeObject | undefined)[] = [];
  for (let attached = 1; attached <= 3; attached++) {
    setting.say(statusOf(attached));
    await setting.clock.advance(1_000);
    versions.push(await setting.stored());
  }
  setting.calls();
  for (const object of versions) setting.reporter.seen(object);
  await setting.clock.advance(1_000);
  assert.deepEqual(setting.calls(), []);
});

Deno.test("NodeReporter looks again when the object goes while it is written", async () => {
  await using setting = await settled();
  const patch = setting.api.patch.bind(setting.api);
  setting.api.patch = async (...call) => {
    const object = await patch(...call);
    setting.api.patch = patch;
    await setting.remove();
    return object;
  };
  setting.say(statusOf(1));
  await setting.clock.advance(2_000);
  assert.equal((await setting.stored())?.status?.attached, 1);
});

Deno.test("NodeReporter is content with a status whose fields the API server does not know", async () => {
  await using setting = await settled();
  const patch = setting.api.patch.bind(setting.api);
  setting.api.patch = (resource, key, change, options) => {
    const body = { status: { version: "0.1.0", attached: 1 } };
    return patch(resource, key, change.type === "merge" ? { ...change, body } : change, options);
  };
  setting.say(statusOf(1, { problems: [{ reason: "New", message: "m" }] }));
  await setting.clock.advance(60_000);
  setting.reporter.changed();
  await setting.clock.advance(60_000);
  assert.deepEqual(setting.calls(), [PATCH]);
});

Deno.test("NodeReporter ignores other nodes' objects", async () => {
  await using setting = await settled();
  const mine = await setting.stored();
  assert.ok(mine !== undefined);
  const metadata = { ...mine.metadata, name: "worker2", uid: "other" };
  setting.reporter.seen({ ...mine, metadata, status: statusOf(9) });
  await setting.clock.advance(1_000);
  assert.deepEqual(setting.calls(), []);
});

Deno.test("NodeReporter survives a report that fails", async () => {
  await using setting = await settled();
  Object.defineProperty(setting, "status", {
    get: () => {
      throw new Error("no report");
    },
    configurable: true,
  });
  setting.reporter.changed();
  await setting.clock.advance(1_000);
  assert.equal(setting.reporter.state.problem, "no report");
  Object.defineProperty(setting, "status", { value: statusOf(2), writable: true });
  await setting.clock.advance(30_000);
  assert.equal((await setting.stored())?.status?.attached, 2);
});
