import assert from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { CniInstaller } from "./cni_installer.ts";

/** A folder for plugins, and an executable to install there. */
class Setting implements Disposable {
  readonly #dir = new TempDir();
  readonly log = new LogRecorder();
  readonly clock = new FakeClock();
  readonly binDir = `${this.#dir.path}/bin`;
  readonly plugin = `${this.binDir}/k8slan`;
  readonly alias = `${this.binDir}/macvtap`;
  changes = 0;

  constructor() {
    Deno.mkdirSync(this.binDir);
  }

  /** An executable that prints `word`; large enough that half of it would be noticed. */
  source(word: string): string {
    const path = `${this.#dir.path}/${word}`;
    const text = `#!/bin/sh\necho ${word}\nexit 0\n${"#".repeat(400_000)}\n`;
    Deno.writeTextFileSync(path, text);
    return path;
  }

  installer(source = this.source("one")): CniInstaller {
    return new CniInstaller({
      ...{ source, binDir: this.binDir, stampFile: `${this.#dir.path}/stamp` },
      ...{ log: this.log, clock: this.clock, changed: () => this.changes++ },
    });
  }

  names(): string[] {
    return [...Deno.readDirSync(this.binDir)].map(({ name }) => name).toSorted();
  }

  /** Changes with every write, and with nothing else. */
  identity(): unknown {
    const { ino, mtime } = Deno.statSync(this.plugin);
    return [ino, mtime];
  }

  async says(): Promise<string> {
    const { stdout } = await new Deno.Command(this.plugin, { stderr: "inherit" }).output();
    return new TextDecoder().decode(stdout).trim();
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

function reasons({ problems }: CniInstaller): string[] {
  return problems.map(({ reason }) => reason);
}

Deno.test("CniInstaller lays an executable file and its second name", async () => {
  using setting = new Setting();
  const installer = setting.installer();
  assert.equal(await installer.install(), true);
  assert.deepEqual([installer.isInstalled, installer.problems], [true, []]);
  assert.equal(await setting.says(), "one");
  assert.equal(Deno.statSync(setting.plugin).mode! & 0o7777, 0o755);
  assert.equal(Deno.readLinkSync(setting.alias), "k8slan");
  assert.deepEqual(setting.names(), ["k8slan", "macvtap"]);
});

Deno.test("CniInstaller makes the folder", async () => {
  using setting = new Setting();
  Deno.removeSync(setting.binDir);
  assert.equal(await setting.installer().install(), true);
});

Deno.test("CniInstaller puts parts together", async () => {
  using setting = new Setting();
  const whole = Deno.readFileSync(setting.source("two"));
  const folder = `${setting.binDir}/../parts`;
  Deno.mkdirSync(folder);
  Deno.writeFileSync(`${folder}/1-launcher`, whole.subarray(0, 8192));
  Deno.writeFileSync(`${folder}/2-deno`, whole.subarray(8192));
  assert.equal(await setting.installer(folder).install(), true);
  assert.equal(await setting.says(), "two");
});

Deno.test("CniInstaller replaces another version, and what runs of it runs on", async () => {
  using setting = new Setting();
  await setting.installer(setting.source("one")).install();
  using running = Deno.openSync(setting.plugin);
  await setting.installer(setting.source("two")).install();
  assert.equal(await setting.says(), "two");
  assert.equal(running.statSync().nlink, 0);
});

Deno.test("CniInstaller leaves alone what is as it should be, also without its memory", async () => {
  using setting = new Setting();
  const source = setting.source("one");
  await setting.installer(source).install();
  const before = setting.identity();
  await setting.installer(source).install();
  Deno.removeSync(`${setting.binDir}/../stamp`);
  await setting.installer(source).install();
  assert.deepEqual(setting.identity(), before);
});

const DAMAGES: readonly (readonly [string, (plugin: string) => void])[] = [
  ["is gone", (plugin) => Deno.removeSync(plugin)],
  ["was cut off", (plugin) => Deno.truncateSync(plugin, 1000)],
  ["was made unexecutable", (plugin) => Deno.chmodSync(plugin, 0o644)],
  ["was overwritten in its size", (plugin) => {
    const bytes = Deno.readFileSync(plugin);
    Deno.writeFileSync(plugin, bytes.with(bytes.length - 5, 0));
  }],
  ["is a link to somewhere else", (plugin) => {
    Deno.removeSync(plugin);
    Deno.symlinkSync("/bin/true", plugin);
  }],
];

for (const [what, damage] of DAMAGES) {
  Deno.test(`CniInstaller mends a plugin that ${what}`, async () => {
    using setting = new Setting();
    const installer = setting.installer();
    await installer.install();
    damage(setting.plugin);
    assert.equal(await installer.install(), true);
    assert.equal(await setting.says(), "one");
    assert.equal(Deno.lstatSync(setting.plugin).isFile, true);
  });
}

Deno.test("CniInstaller removes what crashes left, and nothing else", async () => {
  using setting = new Setting();
  const left = `.k8slan.${crypto.randomUUID()}.tmp`;
  const others = [".k8slan.tmp", `.other.${crypto.randomUUID()}.tmp`, "bridge"];
  for (const name of [left, ...others]) Deno.writeTextFileSync(`${setting.binDir}/${name}`, "x");
  await setting.installer().install();
  assert.deepEqual(setting.names(), [...others, "k8slan", "macvtap"].toSorted());
});

Deno.test("CniInstaller leaves the unfinished file of another installer alone", async () => {
  using setting = new Setting();
  const name = `.k8slan.${crypto.randomUUID()}.tmp`;
  using file = Deno.openSync(`${setting.binDir}/${name}`, { write: true, createNew: true });
  file.lockSync(true);
  await setting.installer().install();
  assert.deepEqual(setting.names(), [name, "k8slan", "macvtap"]);
});

const ALIASES: readonly (readonly [string, (path: string) => void, readonly string[]])[] = [
  ["another program's file", (path) => Deno.writeTextFileSync(path, "x"), ["AliasTaken"]],
  ["a link to another program", (path) => Deno.symlinkSync("macvlan", path), ["AliasTaken"]],
  ["a folder", (path) => Deno.mkdirSync(path), ["AliasTaken"]],
  ["an earlier link to the plugin", (path) => Deno.symlinkSync("./k8slan", path), []],
];

for (const [what, lay, expected] of ALIASES) {
  Deno.test(`CniInstaller leaves ${what} under the second name alone`, async () => {
    using setting = new Setting();
    lay(setting.alias);
    const identity = () => {
      const { ino, size, mtime } = Deno.lstatSync(setting.alias);
      return [ino, size, mtime];
    };
    const before = identity();
    const installer = setting.installer();
    assert.equal(await installer.install(), true);
    assert.deepEqual([installer.isInstalled, reasons(installer)], [true, expected]);
    assert.deepEqual(identity(), before);
  });
}

Deno.test("CniInstaller says that there is nothing to install, and keeps the old plugin", async () => {
  using setting = new Setting();
  await setting.installer(setting.source("one")).install();
  const installer = setting.installer("/nonexistent/k8slan");
  assert.equal(await installer.install(), false);
  assert.deepEqual([installer.isInstalled, reasons(installer)], [false, ["PluginNotInstalled"]]);
  assert.match(
    installer.problems[0]?.message ?? "",
    /^Cannot install ".*\/bin\/k8slan": No such file .*; the one that is there stays$/,
  );
  assert.equal(await setting.says(), "one");
});

Deno.test("CniInstaller.run() tries again, mends what is removed, and reports changes once", async () => {
  using setting = new Setting();
  const source = setting.source("one");
  const hidden = `${source}.away`;
  Deno.renameSync(source, hidden);
  const installer = setting.installer(source);
  const stop = new AbortController();
  const running = installer.run(stop.signal);
  const sleeps = async () => {
    while (setting.clock.sleepers === 0) await new Promise((done) => setTimeout(done, 1));
  };
  for (let i = 0; i < 3; i++) {
    await sleeps();
    await setting.clock.advance(60_000);
  }
  assert.deepEqual([reasons(installer), setting.changes], [["PluginNotInstalled"], 1]);
  Deno.renameSync(hidden, source);
  await sleeps();
  await setting.clock.advance(60_000);
  await sleeps();
  assert.deepEqual([installer.isInstalled, setting.changes], [true, 2]);
  Deno.removeSync(setting.plugin);
  await setting.clock.advance(60_000);
  await sleeps();
  assert.equal(await setting.says(), "one");
  stop.abort();
  await running;
});

Deno.test("CniInstaller replaces the plugin 100 times during 1000 starts, two at once", async () => {
  using setting = new Setting();
  const sources = [setting.source("one"), setting.source("two")];
  await setting.installer(sources[0]).install();
  const loop = 'i=0; while [ $i -lt 500 ]; do "$0" || echo failed; i=$((i+1)); done';
  const starters = [1, 2].map(() =>
    new Deno.Command("/bin/sh", {
      args: ["-c", loop, setting.plugin],
      ...{ stdout: "piped", stderr: "piped" },
    }).output()
  );
  const install = async (first: number) => {
    const installers = sources.map((source) => setting.installer(source));
    for (let i = 0; i < 50; i++) {
      // One may take the other's place in between, and never fail for it for good.
      await installers[(first + i) % 2]!.install();
    }
  };
  await Promise.all([install(0), install(1)]);
  const outputs = await Promise.all(starters);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const lines = outputs.flatMap(({ stdout }) => text(stdout).trim().split("\n"));
  assert.equal(lines.length, 1000);
  assert.deepEqual([...new Set(lines)].toSorted(), ["one", "two"]);
  assert.deepEqual(outputs.map(({ stderr }) => text(stderr)), ["", ""]);
  assert.deepEqual(setting.names(), ["k8slan", "macvtap"]);
});
