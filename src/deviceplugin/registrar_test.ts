import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { until } from "../../tests/support/until.ts";
import { GrpcError } from "./grpc_error.ts";
import { Registrar, type RegistrarDelays } from "./registrar.ts";

const DELAYS: RegistrarDelays = {
  call: { first: 20, max: 40 },
  resource: { first: 20, max: 40 },
  watch: 60,
};

/** A registrar, and the kubelet that it calls: each call waits for `answer`. */
class Setting implements Disposable {
  readonly calls: string[] = [];
  readonly log = new LogRecorder();
  pending = 0;
  pendingMax = 0;
  answer: (resource: string) => Promise<void> = () => Promise.resolve();
  readonly registrar: Registrar;

  constructor(delays: Partial<RegistrarDelays> = {}) {
    this.registrar = new Registrar({
      register: async (resource, endpoint) => {
        this.calls.push(`${resource} ${endpoint}`);
        this.pendingMax = Math.max(this.pendingMax, ++this.pending);
        try {
          await this.answer(resource);
        } finally {
          this.pending--;
        }
      },
      log: this.log,
      delays: { ...DELAYS, ...delays },
    });
  }

  /** Kubelet takes every registration and watches at once. */
  watchAll(): void {
    this.answer = (resource) => {
      this.registrar.watchChanged(resource, true);
      return Promise.resolve();
    };
  }

  isRegistered(resource: string): boolean {
    return this.registrar.state(resource)?.registered === true;
  }

  [Symbol.dispose](): void {
    this.registrar[Symbol.dispose]();
  }
}

function unavailable(): Promise<void> {
  return Promise.reject(new GrpcError("Unavailable", "nobody listens"));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("Registrar registers what is added, before or after kubelet came", async () => {
  using setting = new Setting();
  setting.watchAll();
  setting.registrar.add("a", "a.sock");
  assert.deepEqual(setting.calls, []);
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("b", "b.sock");
  await until("both", () => setting.isRegistered("a") && setting.isRegistered("b"));
  assert.deepEqual(setting.calls, ["a a.sock", "b b.sock"]);
  assert.equal(setting.registrar.registrations, 2);
});

Deno.test("Registrar registers everything again with another kubelet, once", async () => {
  using setting = new Setting();
  setting.watchAll();
  setting.registrar.add("a", "a.sock");
  for (const kubelet of ["1", "1", "2", "2", "3"]) {
    setting.registrar.kubeletChanged(kubelet);
    await until("a", () => setting.isRegistered("a"));
  }
  await pause(2 * DELAYS.watch);
  assert.equal(setting.calls.length, 3);
});

Deno.test("Registrar rests while kubelet's socket is gone", async () => {
  using setting = new Setting();
  setting.watchAll();
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  await until("a", () => setting.isRegistered("a"));
  setting.registrar.kubeletChanged(undefined);
  setting.registrar.watchChanged("a", false);
  await pause(100);
  assert.equal(setting.calls.length, 1);
  assert.equal(setting.isRegistered("a"), false);
});

Deno.test("Registrar registers again what kubelet ceased to watch", async () => {
  using setting = new Setting();
  setting.watchAll();
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  await until("a", () => setting.isRegistered("a"));
  setting.registrar.watchChanged("a", false);
  assert.equal(setting.isRegistered("a"), false);
  await until("a again", () => setting.isRegistered("a"));
  assert.equal(setting.calls.length, 2);
});

Deno.test("Registrar registers again when kubelet does not begin to watch", async () => {
  using setting = new Setting();
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  await until("a second call", () => setting.calls.length === 2);
  assert.equal(setting.isRegistered("a"), false);
});

Deno.test("Registrar waits ever longer for a kubelet that ceases to watch at once", async () => {
  using setting = new Setting({ resource: { first: 20, max: 10_000 }, watch: 1 });
  const times: number[] = [];
  setting.answer = (resource) => {
    times.push(performance.now());
    setting.registrar.watchChanged(resource, true);
    setting.registrar.watchChanged(resource, false);
    return Promise.resolve();
  };
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  await until("five calls", () => times.length >= 5);
  const pauses = times.slice(1, 5).map((time, at) => time - times[at]!);
  // A timer of the system may be early by a part of a millisecond.
  [20, 40, 80, 160].forEach((ms, at) => assert.ok(pauses[at]! >= ms - 1, `${pauses}`));
});

Deno.test("Registrar makes several calls at once, and not too many", async () => {
  using setting = new Setting();
  setting.answer = async (resource) => {
    await pause(1);
    setting.registrar.watchChanged(resource, true);
  };
  setting.registrar.kubeletChanged("1");
  const resources = Array.from({ length: 100 }, (_, i) => `r${i}`);
  for (const resource of resources) setting.registrar.add(resource, "x");
  await until("all", () => resources.every((resource) => setting.isRegistered(resource)));
  assert.equal(setting.pendingMax, 8);
  assert.equal(setting.calls.length, 100);
});

Deno.test("Registrar tries with one call at a time while kubelet cannot be reached", async () => {
  using setting = new Setting();
  setting.answer = unavailable;
  setting.registrar.kubeletChanged("1");
  const resources = Array.from({ length: 100 }, (_, i) => `r${i}`);
  for (const resource of resources) setting.registrar.add(resource, "x");
  await until("the problem", () => setting.registrar.problem !== undefined);
  await pause(50);
  setting.pendingMax = 0;
  const { length } = setting.calls;
  await pause(400);
  assert.ok(setting.calls.length > length, "it gave up");
  assert.ok(setting.calls.length <= length + 12, `${setting.calls.length - length} calls`);
  assert.equal(setting.pendingMax, 1);
  setting.watchAll();
  await until("all", () => resources.every((resource) => setting.isRegistered(resource)));
  assert.equal(setting.registrar.problem, undefined);
  assert.deepEqual(setting.log.messages("info"), [
    "Kubelet cannot be reached",
    "All resources are registered",
  ]);
});

Deno.test("Registrar calls another kubelet without a pause", async () => {
  using setting = new Setting({ call: { first: 60_000, max: 60_000 } });
  setting.answer = unavailable;
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  await until("the problem", () => setting.registrar.problem !== undefined);
  setting.watchAll();
  setting.registrar.kubeletChanged("2");
  await until("a", () => setting.isRegistered("a"));
});

Deno.test("Registrar gives up calls to a kubelet that is gone", async () => {
  using setting = new Setting();
  const stuck = Promise.withResolvers<void>();
  setting.answer = () => stuck.promise;
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  setting.registrar.kubeletChanged("2");
  assert.equal(setting.calls.length, 1);
  setting.watchAll();
  stuck.reject(new GrpcError("Cancelled", "given up"));
  await until("a", () => setting.isRegistered("a"));
  assert.equal(setting.registrar.state("a")?.problem, undefined);
});

Deno.test("Registrar lets one refused resource hold up no other", async () => {
  using setting = new Setting();
  setting.answer = (resource) => {
    if (resource === "bad") return Promise.reject(new GrpcError("Unknown", "invalid name"));
    setting.registrar.watchChanged(resource, true);
    return Promise.resolve();
  };
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("bad", "x");
  setting.registrar.add("good", "y");
  await until("good", () => setting.isRegistered("good"));
  assert.deepEqual(setting.registrar.state("bad"), {
    registered: false,
    problem: "invalid name",
  });
  assert.equal(setting.registrar.problem, undefined);
  await until("another attempt", () => setting.calls.filter((call) => call === "bad x").length > 2);
  assert.deepEqual(setting.log.messages("warn"), ["Kubelet does not take a resource"]);
});

Deno.test("Registrar leaves alone what was removed", async () => {
  using setting = new Setting();
  setting.registrar.kubeletChanged("1");
  setting.registrar.add("a", "a.sock");
  setting.registrar.remove("a");
  await pause(2 * DELAYS.watch);
  assert.equal(setting.calls.length, 1);
  assert.equal(setting.registrar.state("a"), undefined);
  setting.registrar.watchChanged("a", true);
});
