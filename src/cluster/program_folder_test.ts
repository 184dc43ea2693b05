import assert from "node:assert/strict";
import { unpackingExecutable } from "../../scripts/build_unpacking.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { CniInstaller } from "./cni_installer.ts";
import { ProgramFolder } from "./program_folder.ts";
import { RUN_FLAGS } from "./program_start.ts";

/** In place of Deno: makes a cache that tells how it was started. */
const FAKE_DENO = `#!/bin/sh
mkdir -p "$DENO_DIR"
echo "$CNI_COMMAND $*" >> "$DENO_DIR/start"
`;

class Setting implements Disposable {
  readonly #dir = new TempDir();
  readonly log = new LogRecorder();
  readonly folder = `${this.#dir.path}/state/program`;

  /** An executable that carries this in place of Deno; of the compiled form if undefined. */
  async source(fakeDeno?: string): Promise<string> {
    const path = `${this.#dir.path}/executable`;
    if (fakeDeno === undefined) {
      await Deno.writeTextFile(path, "\x7fELF…");
    } else {
      const bytes = new TextEncoder().encode(fakeDeno);
      const executable = await unpackingExecutable("1.2.3", "test", [
        { path: "k8slan", mode: 0o755, bytes },
        { path: "app/main.js", mode: 0o644, bytes: new TextEncoder().encode("// main") },
        { path: "app/src/cni/main.js", mode: 0o644, bytes: new Uint8Array(300_000) },
      ]);
      await Deno.writeFile(path, executable.stream(), { mode: 0o755 });
    }
    return path;
  }

  async program(fakeDeno: string | undefined = FAKE_DENO): Promise<ProgramFolder> {
    return new ProgramFolder({
      ...{ source: await this.source(fakeDeno), folder: this.folder, log: this.log },
    });
  }

  names(): readonly string[] {
    return [...Deno.readDirSync(this.folder)].map(({ name }) => name).toSorted();
  }

  /** Of the only version there is. */
  dir(): string {
    const [name = "", ...others] = this.names();
    assert.deepEqual(others, []);
    return `${this.folder}/${name}`;
  }

  /** Stays the same as long as nothing is unpacked anew. */
  identity(): unknown {
    return Deno.statSync(`${this.dir()}/k8slan`).ino;
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

Deno.test("ProgramFolder lays the program as the launcher expects it, and starts it once", async () => {
  using setting = new Setting();
  await (await setting.program()).lay();
  const dir = setting.dir();
  assert.match(dir, /\/[0-9a-f]{16}$/);
  assert.equal(Deno.readTextFileSync(`${dir}/k8slan`), FAKE_DENO);
  assert.equal(Deno.statSync(`${dir}/k8slan`).mode! & 0o7777, 0o755);
  assert.equal(Deno.readTextFileSync(`${dir}/app/main.js`), "// main");
  assert.deepEqual(Deno.readFileSync(`${dir}/app/src/cni/main.js`), new Uint8Array(300_000));
  assert.equal(
    Deno.readTextFileSync(`${dir}/deno-dir/start`),
    `VERSION run ${RUN_FLAGS.join(" ")} ${dir}/app/main.js\n`,
  );
  assert.deepEqual(setting.log.messages("warn"), []);
});

Deno.test("ProgramFolder does nothing for a compiled program", async () => {
  using setting = new Setting();
  const program = new ProgramFolder({
    ...{ source: await setting.source(), folder: setting.folder, log: setting.log },
  });
  await program.lay();
  await program.prune();
  assert.throws(() => Deno.statSync(setting.folder), Deno.errors.NotFound);
  assert.deepEqual(setting.log.messages("warn"), []);
});

Deno.test("ProgramFolder leaves alone what is whole, and starts it once in each process", async () => {
  using setting = new Setting();
  const program = await setting.program();
  await program.lay();
  const before = setting.identity();
  const starts = () =>
    Deno.readTextFileSync(`${setting.dir()}/deno-dir/start`).split("\n").length - 1;
  await program.lay();
  assert.equal(starts(), 1);
  await (await setting.program()).lay();
  assert.equal(starts(), 2);
  assert.equal(setting.identity(), before);
});

const DAMAGES: readonly (readonly [string, (dir: string) => void])[] = [
  ["is gone", (dir) => Deno.removeSync(dir, { recursive: true })],
  ["lacks a file", (dir) => Deno.removeSync(`${dir}/app/main.js`)],
  ["lacks a folder", (dir) => Deno.removeSync(`${dir}/app`, { recursive: true })],
  ["has a file that was cut off", (dir) => Deno.truncateSync(`${dir}/app/src/cni/main.js`, 5)],
  ["was overwritten in its size", (dir) => Deno.writeTextFileSync(`${dir}/app/main.js`, "// MAIN")],
  ["was made unexecutable", (dir) => Deno.chmodSync(`${dir}/k8slan`, 0o644)],
  ["is a file", (dir) => {
    Deno.removeSync(dir, { recursive: true });
    Deno.writeTextFileSync(dir, "x");
  }],
];

for (const [what, damage] of DAMAGES) {
  Deno.test(`ProgramFolder mends a program that ${what}`, async () => {
    using setting = new Setting();
    const program = await setting.program();
    await program.lay();
    const dir = setting.dir();
    damage(dir);
    await program.lay();
    assert.equal(setting.dir(), dir);
    assert.ok(Deno.statSync(`${dir}/deno-dir/start`).isFile);
    assert.equal(Deno.readTextFileSync(`${dir}/app/main.js`), "// main");
    assert.equal(Deno.statSync(`${dir}/k8slan`).mode! & 0o7777, 0o755);
    assert.deepEqual(Deno.readFileSync(`${dir}/app/src/cni/main.js`), new Uint8Array(300_000));
  });
}

Deno.test("ProgramFolder removes what a crash left", async () => {
  using setting = new Setting();
  Deno.mkdirSync(`${setting.folder}/.0123456789abcdef.${crypto.randomUUID()}.tmp/app`, {
    recursive: true,
  });
  await (await setting.program()).lay();
  assert.equal(setting.names().length, 1);
});

Deno.test("ProgramFolder leaves nothing of a program that does not run, and tries it once", async () => {
  using setting = new Setting();
  const program = await setting.program("#!/bin/sh\necho broken >&2\nexit 1\n");
  await program.lay();
  await program.lay();
  assert.deepEqual(setting.names(), []);
  assert.equal(setting.log.messages("warn").length, 1);
});

Deno.test("ProgramFolder says once that it can't, and goes on as soon as it can", async () => {
  using setting = new Setting();
  const program = await setting.program();
  const parent = setting.folder.slice(0, setting.folder.lastIndexOf("/"));
  Deno.writeTextFileSync(parent, "no folder");
  await program.lay();
  await program.lay();
  assert.equal(setting.log.messages("warn").length, 1);
  Deno.removeSync(parent);
  await program.lay();
  assert.ok(Deno.statSync(`${setting.dir()}/k8slan`).isFile);
});

Deno.test("ProgramFolder.prune() removes other versions that were not started for a day", async () => {
  using setting = new Setting();
  const program = await setting.program();
  await program.lay();
  const [own = ""] = setting.names();
  const long = new Date(Date.now() - 25 * 3600_000);
  const lay = (name: string, used?: Date) => {
    const dir = `${setting.folder}/${name}`;
    Deno.mkdirSync(`${dir}/app`, { recursive: true });
    if (used === undefined) return Deno.utimeSync(dir, long, long);
    Deno.writeTextFileSync(`${dir}/used`, "");
    Deno.utimeSync(`${dir}/used`, used, used);
    Deno.utimeSync(dir, long, long);
  };
  Deno.utimeSync(`${setting.folder}/${own}`, long, long);
  lay("aaaaaaaaaaaaaaaa");
  lay("bbbbbbbbbbbbbbbb", long);
  lay("cccccccccccccccc", new Date());
  lay("of somebody", long);
  await program.prune();
  assert.deepEqual(setting.names(), [own, "cccccccccccccccc", "of somebody"].toSorted());
});

Deno.test("CniInstaller has the program unpacked before its plugin is there", async () => {
  using dir = new TempDir();
  Deno.writeTextFileSync(`${dir.path}/source`, "#!/bin/sh\n");
  const seen: string[] = [];
  const isThere = () => [...Deno.readDirSync(dir.path)].some(({ name }) => name === "bin");
  const installer = new CniInstaller({
    ...{ source: `${dir.path}/source`, binDir: `${dir.path}/bin`, log: new LogRecorder() },
    stampFile: `${dir.path}/stamp`,
    program: {
      lay: () => Promise.resolve(void seen.push(`lay, plugin ${isThere()}`)),
      prune: () => Promise.resolve(void seen.push(`prune, plugin ${isThere()}`)),
    },
  });
  assert.equal(await installer.install(), true);
  Deno.removeSync(`${dir.path}/source`);
  Deno.removeSync(`${dir.path}/bin/k8slan`);
  await installer.install();
  assert.deepEqual(seen, ["lay, plugin false", "prune, plugin true", "lay, plugin true"]);
});
