import assert from "node:assert/strict";
import { median } from "../../scripts/benchmarks/stats.ts";
import { leaveSocket } from "../../tests/support/stale_socket.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import { viewPluginFolder, watchPluginFolder } from "./plugin_folder.ts";
import { socketIdentity } from "./socket_file.ts";

Deno.test("viewPluginFolder() shows kubelet's socket and all others, but no files", () => {
  using dir = new TempDir();
  leaveSocket(`${dir.path}/kubelet.sock`);
  leaveSocket(`${dir.path}/k8slan-pod1.sock`);
  Deno.writeTextFileSync(`${dir.path}/kubelet_internal_checkpoint`, "{}");
  Deno.mkdirSync(`${dir.path}/k8slan-pod2.sock`);
  const { kubelet, sockets } = viewPluginFolder(dir.path);
  assert.equal(kubelet, socketIdentity(`${dir.path}/kubelet.sock`));
  assert.deepEqual([...sockets.keys()].sort(), ["k8slan-pod1.sock", "kubelet.sock"]);
});

Deno.test("viewPluginFolder() shows nothing where there is no folder", () => {
  const { kubelet, sockets } = viewPluginFolder("/nonexistent");
  assert.deepEqual([kubelet, sockets.size], [undefined, 0]);
});

Deno.test("socketIdentity() tells a socket from the next one at its path", async () => {
  using dir = new TempDir();
  const path = `${dir.path}/kubelet.sock`;
  const seen = new Set<string | undefined>();
  for (let round = 0; round < 5; round++) {
    leaveSocket(path);
    seen.add(socketIdentity(path));
    Deno.removeSync(path);
    await new Promise((resolve) => setTimeout(resolve, 20)); // times of files are as coarse as 10 ms
  }
  assert.deepEqual([seen.size, seen.has(undefined)], [5, false]);
  assert.equal(socketIdentity(path), undefined);
});

/** A watch of `folder` that counts what it is told. */
class Watch implements AsyncDisposable {
  calls = 0;
  readonly #controller = new AbortController();
  readonly #running: Promise<void>;

  constructor(folder: string) {
    this.#running = watchPluginFolder(folder, () => this.calls++, this.#controller.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#running;
  }
}

Deno.test("watchPluginFolder() calls once at the start", async () => {
  using dir = new TempDir();
  await using watch = new Watch(dir.path);
  await until("the first call", () => watch.calls === 1);
});

Deno.test("watchPluginFolder() calls soon after sockets come and go", async () => {
  using dir = new TempDir();
  await using watch = new Watch(dir.path);
  await until("the first call", () => watch.calls === 1);
  const times: number[] = [];
  for (let round = 0; round < 4; round++) {
    for (const change of [leaveSocket, Deno.removeSync]) {
      const { calls } = watch;
      const started = performance.now();
      change(`${dir.path}/kubelet.sock`);
      await until("a call", () => watch.calls > calls);
      times.push(performance.now() - started);
    }
  }
  // Sooner than the poll, which is what would find all of them otherwise.
  assert.ok(median(times) < 900, times.join());
});

Deno.test("watchPluginFolder() takes many changes together", async () => {
  using dir = new TempDir();
  await using watch = new Watch(dir.path);
  await until("the first call", () => watch.calls === 1);
  for (let i = 0; i < 200; i++) Deno.writeTextFileSync(`${dir.path}/${i}.sock`, "");
  await until("a call", () => watch.calls > 1);
  assert.ok(watch.calls < 20, `${watch.calls} calls for 200 changes`);
});

Deno.test("watchPluginFolder() does not look when kubelet writes its checkpoint", async () => {
  using dir = new TempDir();
  await using watch = new Watch(dir.path);
  await until("the first call", () => watch.calls === 1);
  for (let i = 0; i < 10; i++) {
    Deno.writeTextFileSync(`${dir.path}/.kubelet_internal_checkpoint1234`, "{}");
    const checkpoint = `${dir.path}/kubelet_internal_checkpoint`;
    Deno.renameSync(`${dir.path}/.kubelet_internal_checkpoint1234`, checkpoint);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(watch.calls, 1);
});

Deno.test("watchPluginFolder() finds a folder that is made later, or anew", async () => {
  using dir = new TempDir();
  const folder = `${dir.path}/device-plugins`;
  await using watch = new Watch(folder);
  await until("the first call", () => watch.calls === 1);
  for (let round = 0; round < 2; round++) {
    const { calls } = watch;
    Deno.mkdirSync(folder);
    await until("a call for the folder", () => watch.calls > calls);
    const before = watch.calls;
    leaveSocket(`${folder}/kubelet.sock`);
    await until("a call for the socket", () => watch.calls > before);
    Deno.removeSync(folder, { recursive: true });
    await until("a call for its end", () => watch.calls > before + 1);
  }
});

Deno.test("watchPluginFolder() ends at once when it is told to before it begins", async () => {
  using dir = new TempDir();
  await watchPluginFolder(dir.path, () => {}, AbortSignal.abort());
});
