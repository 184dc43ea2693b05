import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { PluginClient } from "../../tests/support/plugin_client.ts";
import { leaveSocket } from "../../tests/support/stale_socket.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import type { PluginDevice } from "./device_list.ts";
import { DevicePluginServer } from "./device_plugin_server.ts";
import { GrpcError, type GrpcStatus } from "./grpc_error.ts";
import type { Device } from "./messages.ts";

const POD1: PluginDevice = { id: "pod1", healthy: true };
const SICK: PluginDevice = { id: "pod1", healthy: false };
const TAP = "/dev/tap1048577";

/** A server in a folder of its own, and what a kubelet needs to talk to it. */
class Setting implements Disposable {
  readonly dir = new TempDir();
  readonly path = `${this.dir.path}/k8slan-pod1.sock`;
  readonly log = new LogRecorder();
  readonly counters = { lists: 0, allocations: 0 };
  readonly watchers: number[] = [];
  readonly allocated: string[] = [];
  readonly server: DevicePluginServer;

  constructor(pathOf: (id: string) => string | undefined = () => TAP) {
    this.server = new DevicePluginServer({
      path: this.path,
      devices: [POD1],
      pathOf,
      allocated: (id) => this.allocated.push(id),
      log: this.log,
      counters: this.counters,
      watchersChanged: () => this.watchers.push(this.server.watchers),
    });
  }

  [Symbol.dispose](): void {
    this.server[Symbol.dispose]();
    this.dir[Symbol.dispose]();
  }
}

/** What a watching kubelet has heard. */
class Watch {
  readonly lists: string[] = [];
  ended = false;

  constructor(client: PluginClient) {
    this.#read(client);
  }

  async #read(client: PluginClient): Promise<void> {
    for await (const devices of client.listAndWatch()) this.lists.push(words(devices));
    this.ended = true;
  }
}

function words(devices: readonly Device[]): string {
  return devices.map(({ ID, health }) => `${ID} ${health}`).join(", ") || "nothing";
}

async function codeOf(call: Promise<unknown>): Promise<GrpcStatus | undefined> {
  const error = await call.then(() => undefined, (error) => error);
  return error instanceof GrpcError ? error.code : undefined;
}

Deno.test("DevicePluginServer announces no optional call", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  assert.deepEqual(await client.options(), {
    pre_start_required: false,
    get_preferred_allocation_available: false,
  });
});

Deno.test("DevicePluginServer tells which device kubelet gives away, but not what it refuses", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  assert.equal(await codeOf(client.allocate(["pod1", "absent"])), "InvalidArgument");
  assert.deepEqual(setting.allocated, []);
  await client.allocate(["pod1"]);
  assert.deepEqual(setting.allocated, ["pod1"]);
});

for (const method of ["GetPreferredAllocation", "PreStartContainer"]) {
  Deno.test(`DevicePluginServer does not implement ${method}`, async () => {
    using setting = new Setting();
    setting.server.listen();
    using client = new PluginClient(setting.path);
    assert.equal(await codeOf(client.raw(method, new Uint8Array())), "Unimplemented");
  });
}

Deno.test("DevicePluginServer sends the first list at once and then only changes", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  const watch = new Watch(client);
  await until("the first list", () => watch.lists.length === 1);
  for (const devices of [[POD1], [{ ...POD1 }], [SICK], [SICK], [], [], [POD1]]) {
    setting.server.setDevices(devices);
  }
  await until("the last list", () => watch.lists.length >= 4);
  assert.deepEqual(watch.lists, ["pod1 Healthy", "pod1 Unhealthy", "nothing", "pod1 Healthy"]);
  assert.equal(setting.counters.lists, 4);
});

Deno.test("DevicePluginServer tells everyone who watches, and forgets who hangs up", async () => {
  using setting = new Setting();
  setting.server.listen();
  using first = new PluginClient(setting.path);
  const watches = [new Watch(first)];
  {
    using second = new PluginClient(setting.path);
    watches.push(new Watch(second));
    await until("two watchers", () => setting.server.watchers === 2);
    setting.server.setDevices([SICK]);
    await until("news for both", () => watches.every(({ lists }) => lists.length === 2));
  }
  await until("one watcher", () => setting.server.watchers === 1);
  setting.server.setDevices([POD1]);
  await until("news", () => watches[0]?.lists.length === 3);
  assert.deepEqual(setting.watchers, [1, 2, 1]);
});

Deno.test("DevicePluginServer keeps a stream over a new socket file", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  const watch = new Watch(client);
  await until("the first list", () => watch.lists.length === 1);
  Deno.removeSync(setting.path);
  setting.server.listen();
  setting.server.setDevices([SICK]);
  await until("news on the old connection", () => watch.lists.length === 2);
  using late = new PluginClient(setting.path);
  assert.equal((await late.allocate(["pod1"])).container_responses.length, 1);
  assert.equal(watch.ended, false);
});

Deno.test("DevicePluginServer withdraws by an empty list, an end, and no socket", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  const watch = new Watch(client);
  await until("the first list", () => watch.lists.length === 1);
  const started = performance.now();
  const withdrawn = setting.server.withdraw();
  await until("the end of the stream", () => watch.ended);
  assert.deepEqual(watch.lists, ["pod1 Healthy", "nothing"]);
  client[Symbol.dispose]();
  await withdrawn;
  assert.ok(performance.now() - started < 2_000, "it waited although kubelet had hung up");
  assert.throws(() => Deno.lstatSync(setting.path), Deno.errors.NotFound);
});

Deno.test("DevicePluginServer withdraws though nobody watches", async () => {
  using setting = new Setting();
  setting.server.listen();
  await setting.server.withdraw();
  assert.throws(() => Deno.lstatSync(setting.path), Deno.errors.NotFound);
});

Deno.test("DevicePluginServer closes connections and socket when it is disposed of", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  const watch = new Watch(client);
  await until("the first list", () => watch.lists.length === 1);
  setting.server[Symbol.dispose]();
  await until("the end of the stream", () => watch.ended);
  assert.deepEqual(watch.lists, ["pod1 Healthy"]);
  assert.throws(() => Deno.lstatSync(setting.path), Deno.errors.NotFound);
});

Deno.test("DevicePluginServer answers Allocate with the device's file", async () => {
  using setting = new Setting((id) => id === "pod1" ? TAP : undefined);
  setting.server.listen();
  using client = new PluginClient(setting.path);
  assert.deepEqual(await client.allocate(["pod1"]), {
    container_responses: [{
      devices: [{ container_path: TAP, host_path: TAP, permissions: "rw" }],
    }],
  });
  assert.deepEqual(await client.allocate([]), { container_responses: [{ devices: [] }] });
  assert.deepEqual(await client.allocate(), { container_responses: [] });
});

Deno.test("DevicePluginServer answers Allocate for a device that has become unhealthy", async () => {
  using setting = new Setting();
  setting.server.listen();
  setting.server.setDevices([SICK]);
  using client = new PluginClient(setting.path);
  assert.equal((await client.allocate(["pod1"])).container_responses.length, 1);
});

const REFUSED: readonly (readonly [string, readonly string[]])[] = [
  ["a device that is not offered", ["pod2"]],
  ["one known and one unknown device", ["pod1", "pod2"]],
  ["an empty name", [""]],
  ["a path", ["../../dev/sda"]],
  ["control characters", ["a\u0000\r\n\u001b[31m"]],
  ["half a surrogate pair", ["\ud800"]],
  ["a megabyte", ["x".repeat(1_000_000)]],
  ["ten thousand names", Array.from({ length: 10_000 }, (_, i) => `pod${i + 2}`)],
];

for (const [name, ids] of REFUSED) {
  Deno.test(`DevicePluginServer refuses to allocate ${name}`, async () => {
    using setting = new Setting();
    setting.server.listen();
    using client = new PluginClient(setting.path);
    assert.equal(await codeOf(client.allocate(ids)), "InvalidArgument");
    assert.deepEqual(setting.log.messages("warn"), ["Allocate refused"]);
    assert.deepEqual(await client.allocate(["pod1"]).then(() => "lives"), "lives");
  });
}

Deno.test("DevicePluginServer refuses to allocate a device without a file", async () => {
  using setting = new Setting(() => undefined);
  setting.server.listen();
  using client = new PluginClient(setting.path);
  assert.equal(await codeOf(client.allocate(["pod1"])), "InvalidArgument");
});

Deno.test("DevicePluginServer survives a lookup that throws", async () => {
  using setting = new Setting(() => {
    throw new Error("disk full");
  });
  setting.server.listen();
  using client = new PluginClient(setting.path);
  const error = await client.allocate(["pod1"]).then(() => undefined, (error) => error);
  assert.deepEqual([error.code, error.message], ["Internal", "disk full"]);
});

Deno.test("DevicePluginServer refuses bytes that are no message", async () => {
  using setting = new Setting();
  setting.server.listen();
  using client = new PluginClient(setting.path);
  assert.notEqual(await codeOf(client.raw("Allocate", Uint8Array.of(0x0a, 0x7f))), undefined);
  assert.deepEqual(await client.allocate(["pod1"]).then(() => "lives"), "lives");
});

Deno.test("DevicePluginServer replaces a socket that a dead agent left", async () => {
  using setting = new Setting();
  leaveSocket(setting.path);
  setting.server.listen();
  using client = new PluginClient(setting.path);
  assert.equal((await client.allocate(["pod1"])).container_responses.length, 1);
});

Deno.test("DevicePluginServer leaves a file alone that is not a socket", () => {
  using setting = new Setting();
  Deno.writeTextFileSync(setting.path, "precious");
  assert.throws(() => setting.server.listen(), /is not a socket/);
  assert.equal(Deno.readTextFileSync(setting.path), "precious");
});
