import assert from "node:assert/strict";
import { CniInstaller } from "../../src/cluster/cni_installer.ts";
import { LogRecorder } from "../support/log_recorder.ts";
import { rootTest } from "../support/netns_lab.ts";
import { TempDir } from "../support/temp_dir.ts";

/** A folder for plugins on a file system of its own, with room for one plugin and a half. */
class SmallDisk implements Disposable {
  readonly #dir = new TempDir();
  readonly binDir = `${this.#dir.path}/bin`;

  constructor() {
    Deno.mkdirSync(this.binDir);
    this.run("mount", "-t", "tmpfs", "-o", "size=1M", "none", this.binDir);
  }

  run(command: string, ...args: string[]): void {
    const { success } = new Deno.Command(command, { args }).outputSync();
    assert.ok(success, `${command} ${args.join(" ")}`);
  }

  installer(word: string): CniInstaller {
    const source = `${this.#dir.path}/${word}`;
    Deno.writeTextFileSync(source, `#!/bin/sh\necho ${word}\nexit 0\n${"#".repeat(700_000)}`);
    const stampFile = `${this.#dir.path}/stamp`;
    return new CniInstaller({ source, binDir: this.binDir, stampFile, log: new LogRecorder() });
  }

  says(): string {
    const { stdout } = new Deno.Command(`${this.binDir}/k8slan`).outputSync();
    return new TextDecoder().decode(stdout).trim();
  }

  [Symbol.dispose](): void {
    this.run("umount", this.binDir);
    this.#dir[Symbol.dispose]();
  }
}

rootTest(
  "CniInstaller keeps the old plugin on a full disk, and replaces it once there is room",
  async () => {
    using disk = new SmallDisk();
    await disk.installer("one").install();
    const installer = disk.installer("two");
    assert.equal(await installer.install(), false);
    assert.match(
      installer.problems[0]?.message ?? "",
      /[Nn]o space left.*; the one that is there stays$/,
    );
    assert.equal(disk.says(), "one");
    assert.deepEqual([...Deno.readDirSync(disk.binDir)].map(({ name }) => name).toSorted(), [
      "k8slan",
      "macvtap",
    ]);
    disk.run("mount", "-o", "remount,size=3M", disk.binDir);
    assert.equal(await installer.install(), true);
    assert.equal(disk.says(), "two");
  },
);

rootTest("CniInstaller keeps the old plugin on a read-only disk", async () => {
  using disk = new SmallDisk();
  await disk.installer("one").install();
  disk.run("mount", "-o", "remount,ro", disk.binDir);
  const installer = disk.installer("two");
  assert.equal(await installer.install(), false);
  assert.deepEqual(installer.problems.map(({ reason }) => reason), ["PluginNotInstalled"]);
  assert.match(installer.problems[0]?.message ?? "", /[Rr]ead-only file system/);
  assert.equal(disk.says(), "one");
  disk.run("mount", "-o", "remount,rw,size=3M", disk.binDir);
  assert.equal(await installer.install(), true);
  assert.equal(disk.says(), "two");
});

rootTest(
  "CniInstaller says that a plugin of this version is installed on a read-only disk",
  async () => {
    using disk = new SmallDisk();
    const installer = disk.installer("one");
    await installer.install();
    disk.run("mount", "-o", "remount,ro", disk.binDir);
    assert.equal(await installer.install(), true);
  },
);
