import assert from "node:assert/strict";
import { unpackingExecutable } from "../../scripts/build_unpacking.ts";
import { ProgramFolder } from "../../src/cluster/program_folder.ts";
import { LogRecorder } from "../support/log_recorder.ts";
import { rootTest } from "../support/netns_lab.ts";
import { TempDir } from "../support/temp_dir.ts";

/** In place of Deno: tells where it lies. */
const FAKE_DENO = '#!/bin/sh\nmkdir -p "$DENO_DIR"\necho "$0"\n';

/** A host of its own kind: folders of the test in place of the machine's /var/lib and /var/cache. */
class Host implements Disposable {
  readonly #dir = new TempDir();
  readonly executable = `${this.#dir.path}/k8slan`;
  readonly lib = `${this.#dir.path}/lib`;
  readonly cache = `${this.#dir.path}/cache`;
  readonly folder = `${this.lib}/k8slan/program`;

  constructor() {
    for (const path of [this.lib, this.cache]) Deno.mkdirSync(path);
  }

  async build(): Promise<void> {
    const executable = await unpackingExecutable("1.2.3", "test", [
      { path: "k8slan", mode: 0o755, bytes: new TextEncoder().encode(FAKE_DENO) },
      { path: "app/main.js", mode: 0o644, bytes: new TextEncoder().encode("// main") },
    ]);
    await Deno.writeFile(this.executable, executable.stream(), { mode: 0o755 });
  }

  async lay(log = new LogRecorder()): Promise<LogRecorder> {
    await new ProgramFolder({ source: this.executable, folder: this.folder, log }).lay();
    return log;
  }

  /** Where the launcher starts the program from. */
  async starts(env: Readonly<Record<string, string>> = {}): Promise<string> {
    const script =
      'mount --bind "$1" /var/lib && mount --bind "$2" /var/cache && shift 2 && exec "$@"';
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["-m", "sh", "-c", script, "sh", this.lib, this.cache],
        ...["env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
        this.executable,
      ],
      stdin: "null",
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout).trim().replace(/[0-9a-f]{16}/, "ID");
  }

  unpacked(): readonly string[] {
    return [...Deno.readDirSync(this.cache)].map(({ name }) => name);
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

rootTest("launcher starts what the agent has laid, and unpacks nothing", async () => {
  using host = new Host();
  await host.build();
  await host.lay();
  assert.equal(await host.starts(), "/var/lib/k8slan/program/ID/k8slan");
  assert.deepEqual(host.unpacked(), []);
});

rootTest("launcher unpacks itself elsewhere where no agent has laid anything", async () => {
  using host = new Host();
  await host.build();
  for (const start of ["first", "second"]) {
    assert.equal(await host.starts(), "/var/cache/k8slan/ID/k8slan", start);
  }
  assert.deepEqual([...Deno.readDirSync(host.lib)], []);
});

rootTest("launcher keeps to K8SLAN_CACHE_DIR where it is set", async () => {
  using host = new Host();
  await host.build();
  await host.lay();
  const env = { K8SLAN_CACHE_DIR: "/var/cache/mine" };
  assert.equal(await host.starts(env), "/var/cache/mine/ID/k8slan");
});

rootTest("launcher starts nothing of the agent's folder that is another user's", async () => {
  using host = new Host();
  await host.build();
  await host.lay();
  const [{ name } = { name: "" }] = Deno.readDirSync(host.folder);
  Deno.chownSync(`${host.folder}/${name}`, 65534, 65534);
  assert.equal(await host.starts(), "/var/cache/k8slan/ID/k8slan");
});

rootTest("ProgramFolder takes no space that the plugin could need", async () => {
  using host = new Host();
  await host.build();
  const mount = (...args: string[]) => new Deno.Command("mount", { args }).outputSync();
  Deno.mkdirSync(host.folder, { recursive: true });
  assert.ok(mount("-t", "tmpfs", "-o", "size=12k", "none", host.folder).success);
  try {
    assert.match(JSON.stringify((await host.lay()).records), /free space/);
    assert.deepEqual([...Deno.readDirSync(host.folder)], []);
    assert.ok(mount("-o", "remount,size=1M", host.folder).success);
    await host.lay();
    assert.equal([...Deno.readDirSync(host.folder)].length, 1);
  } finally {
    new Deno.Command("umount", { args: [host.folder] }).outputSync();
  }
});
