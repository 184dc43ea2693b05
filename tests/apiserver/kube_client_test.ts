import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { EventRecorder } from "../../src/kube/event_recorder.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { isForbidden } from "../../src/kube/kube_error.ts";
import { kubeconfigAccess } from "../../src/kube/kubeconfig_access.ts";
import {
  EVENTS,
  LANS,
  LEASES,
  NAMESPACES,
  NODES,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from "../../src/kube/resources.ts";
import { type WatcherOptions, watchResource, type WatchTrouble } from "../../src/kube/watcher.ts";
import { ApiServer } from "../support/api_server.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { fastClock } from "../support/fast_clock.ts";
import { LabProcess } from "../support/lab_process.ts";
import { installLanCrd } from "../support/lan_crd.ts";
import { PAPER } from "../support/leader_program.ts";
import { LogRecorder } from "../support/log_recorder.ts";
import { say } from "../support/say.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { TempDir } from "../support/temp_dir.ts";
import { until } from "../support/until.ts";

let server: ApiServer;
let api: FetchKubeApi;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  api = new FetchKubeApi(server.access(), { userAgent: "test", perSecond: 500, burst: 500 });
});

Deno.test.afterAll(async () => {
  api[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** What a watcher has told of leases in a namespace of its own. */
class Watched implements AsyncDisposable {
  readonly events: string[] = [];
  readonly troubles: WatchTrouble[] = [];
  /** How many events there were before each of the troubles. */
  readonly eventsBefore = new Map<WatchTrouble, number>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #api = new FetchKubeApi(server.access(), { userAgent: "watcher" });

  constructor(options: Partial<WatcherOptions<never>>) {
    this.#running = this.#run(options);
  }

  async #run(options: Partial<WatcherOptions<never>>): Promise<void> {
    const all = {
      ...{ signal: this.#stop.signal, namespace: "default", ...options },
      onTrouble: (trouble: WatchTrouble) => {
        this.troubles.push(trouble);
        this.eventsBefore.set(trouble, this.events.length);
      },
    };
    for await (const event of watchResource(this.#api, LEASES, all)) {
      this.events.push(
        event.type === "synced" ? "synced" : `${event.type} ${event.object.metadata.name}`,
      );
    }
  }

  /** Waits for an event, and returns after how many milliseconds it came. */
  async saw(event: string, timeout = 10_000): Promise<number> {
    const started = performance.now();
    await until(`the event "${event}"`, () => this.events.includes(event), { timeout });
    return performance.now() - started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#api[Symbol.dispose]();
  }
}

async function makeLease(name: string): Promise<void> {
  await api.create(LEASES, { metadata: { name, namespace: "default" }, spec: {} });
}

async function deleteAllLeases(): Promise<void> {
  for (const { metadata } of (await api.list(LEASES, { namespace: "default" })).items) {
    await api.delete(LEASES, { name: metadata.name, namespace: "default" });
  }
}

Deno.test("resources are those of a real API server", async () => {
  await installLanCrd(api);
  for (const kind of [LANS, EVENTS, SECRETS, NODES, VALIDATING_WEBHOOK_CONFIGURATIONS]) {
    assert.deepEqual((await api.list<never>(kind as never)).items, [], kind.plural);
  }
  const names = (await api.list(NAMESPACES)).items.map(({ metadata }) => metadata.name);
  assert.ok(names.includes("kube-system"));
});

Deno.test("kubeconfigAccess() leads to a real API server", async () => {
  using dir = new TempDir();
  await Deno.writeTextFile(`${dir.path}/config`, await server.kubeconfig());
  const access = await kubeconfigAccess([`${dir.path}/config`]);
  using own = new FetchKubeApi(access, { userAgent: "test" });
  assert.notEqual(await own.get(NAMESPACES, { name: "default" }), undefined);
});

Deno.test("FetchKubeApi is refused what its certificate doesn't allow", async () => {
  await server.issue("nobody");
  using own = new FetchKubeApi(server.access("nobody"), { userAgent: "test" });
  await assert.rejects(own.list(SECRETS), isForbidden);
  await assert.rejects(own.watch(SECRETS, { resourceVersion: "1" }).next(), isForbidden);
});

Deno.test("FetchKubeApi trusts no server that its authority doesn't know", async () => {
  const { server: url } = server.access();
  const access = { server: url, credentials: () => Promise.resolve({ caCerts: [] }), forget() {} };
  using own = new FetchKubeApi(access, { userAgent: "test" });
  await assert.rejects(own.list(NAMESPACES), { code: "ApiServerUnreachable" });
});

Deno.test("EventRecorder makes events that a real API server takes", async () => {
  const log = new LogRecorder();
  const clock = new FakeClock();
  const stop = new AbortController();
  const recorder = new EventRecorder({
    ...{ api, log, controller: "lan.k8slan.io/test", instance: "test", clock },
  });
  const running = recorder.run(stop.signal);
  await makeLease("seen");
  const lease = (await api.get(LEASES, { namespace: "default", name: "seen" }))!;
  const text = { type: "Normal", reason: "Tried", action: "Try", note: "It was tried" } as const;
  recorder.record(lease, text);
  const find = async () => (await api.list(EVENTS, { namespace: "default" })).items[0];
  await until("an event", async () => (await find())?.note === text.note);
  recorder.record(lease, text);
  await clock.advance(60_000); // so long repetitions are gathered
  await until("a repeated event", async () => (await find())?.series?.count === 2);
  stop.abort();
  await running;
  assert.deepEqual(log.records, []);
});

Deno.test("watchResource() is in sync soon after the API server's return", async () => {
  await deleteAllLeases();
  await makeLease("a");
  await makeLease("b");
  await using watched = new Watched({});
  await watched.saw("synced");
  await server.stopApi("SIGKILL");
  await until("it is noticed", () => watched.troubles.length > 3, { timeout: 20_000 });
  watched.events.length = 0;
  server.startApi();
  await server.ready();
  await makeLease("c");
  // On a machine with nothing else to do it takes 2 s at most.
  say(`in sync after ${Math.round(await watched.saw("applied c", 15_000))} ms`);
  assert.ok(!watched.events.some((event) => event.startsWith("deleted")));
});

Deno.test("watchResource() notices a server that stands still, and deletes while it was cut off", async () => {
  await deleteAllLeases();
  await makeLease("a");
  await makeLease("b");
  await using watched = new Watched({ idleMs: 2_000 });
  await watched.saw("synced");
  await makeLease("watched"); // so that the watch has begun
  await watched.saw("applied watched");
  server.freeze();
  try {
    await until("it is noticed", () => watched.troubles.length > 0, { timeout: 20_000 });
  } finally {
    server.thaw();
  }
  assert.match(String(watched.troubles[0]?.error), /not a byte came within 2 s/);
  await server.ready();
  await api.delete(LEASES, { namespace: "default", name: "a" });
  await watched.saw("deleted a");
  await makeLease("c");
  await watched.saw("applied c");
  assert.ok(!watched.events.includes("deleted b"));
});

Deno.test("FetchKubeApi leaves a connection that swallows everything, and takes another", async () => {
  await deleteAllLeases();
  using relay = new TcpRelay(server.port);
  const access = { ...server.access(), server: `https://127.0.0.1:${relay.port}` };
  using own = new FetchKubeApi(access, { userAgent: "test" });
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    // Silence for so long before the connection is cut would cost a second one.
    const options = { signal: stop.signal, namespace: "default", idleMs: 10_000 };
    for await (const event of watchResource(own, LEASES, options)) {
      if (event.type === "applied") seen.push(event.object.metadata.name);
    }
  })();
  try {
    await makeLease("a");
    await until("the watch works", () => seen.includes("a"));
    assert.notEqual(await own.get(NAMESPACES, { name: "default" }), undefined);
    assert.equal(relay.connections, 1); // HTTP/2 carries all
    relay.blackHole();
    const call = own.get(NAMESPACES, { name: "default" }, { deadlineMs: 1_000 });
    await assert.rejects(call, { code: "ApiServerTimeout" });
    assert.notEqual(await own.get(NAMESPACES, { name: "default" }), undefined);
    await makeLease("b");
    await until("the watch works again", () => seen.includes("b"), { timeout: 30_000 });
    assert.equal(relay.connections, 2);
  } finally {
    stop.abort();
    await watching;
  }
});

Deno.test("watchResource() doesn't believe an emptied etcd at once", async () => {
  await deleteAllLeases();
  await makeLease("a");
  await using watched = new Watched({ clock: fastClock(10) }); // the second look comes after 3 s
  await watched.saw("synced");
  watched.events.length = 0;
  await server.emptyEtcd();
  const doubted = await until("doubt", () => {
    return watched.troubles.find(({ error }) =>
      Reflect.get(Object(error), "code") === "SuddenlyEmpty"
    );
  }, { timeout: 60_000 });
  assert.ok(doubted.afterMs > 29_000, `${doubted.afterMs} ms`);
  assert.equal(watched.eventsBefore.get(doubted), 0);
  await watched.saw("deleted a");
  await makeLease("a");
  await watched.saw("applied a");
});

Deno.test("runAsLeader() never lets two processes write, though one stands still", async () => {
  await deleteAllLeases();
  const { name, namespace } = PAPER;
  await api.create(LEASES, { metadata: { name, namespace }, spec: {} });
  using dir = new TempDir();
  const config = `${dir.path}/config`;
  await Deno.writeTextFile(config, await server.kubeconfig());
  const start = (identity: string) =>
    new LabProcess([
      ...[Deno.execPath(), "run", "-A", "--no-check", "--config", fromRoot("deno.json")],
      ...[fromRoot("tests/support/leader_program.ts"), identity],
    ], { env: { KUBECONFIG: config } });
  const writers: string[] = [];
  const watching = new AbortController();
  const reading = (async () => {
    const options = { signal: watching.signal, fieldSelector: "metadata.name=paper" };
    for await (const event of watchResource(api, LEASES, { ...options, namespace })) {
      const writer = event.type === "applied" ? event.object.spec?.holderIdentity : undefined;
      if (writer !== undefined && writer !== writers.at(-1)) writers.push(writer);
    }
  })();
  try {
    await using a = start("a");
    await a.waitFor(/leads/, 30_000);
    await using b = start("b");
    await until("a writes", () => writers.includes("a"));
    a.kill("SIGSTOP");
    await b.waitFor(/leads/, 30_000);
    await until("b writes", () => writers.includes("b"));
    a.kill("SIGCONT");
    assert.equal((await a.ended).code, 1);
    assert.match(a.stdout, /lost/);
    await systemClock.sleep(1_000, new AbortController().signal);
    // One after the other: "a" has written nothing since "b" began.
    assert.deepEqual(writers, ["a", "b"]);
    await using c = start("c");
    await c.waitFor(/started/, 30_000);
    b.kill("SIGTERM");
    await b.ended;
    // Sooner than the Lease would have ended.
    await c.waitFor(/leads/, 10_000);
    assert.match(b.stdout, /ended/);
  } finally {
    watching.abort();
    await reading;
  }
});

function fromRoot(path: string): string {
  return new URL(`../../${path}`, import.meta.url).pathname;
}
