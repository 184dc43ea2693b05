/** Starts executables that carry a small shell script in place of Deno. */

import assert from "node:assert/strict";
import { unpackingExecutable } from "./build_unpacking.ts";

/** Says how it was started, as `deno run` would be, copies stdin, and exits with 7. */
const FAKE_DENO = `#!/bin/sh
for word; do echo "$word"; done
echo "executable=$K8SLAN_EXECUTABLE"
echo "deno_dir=$DENO_DIR"
while read -r line; do echo "stdin=$line"; done
exit 7
`;

class Fixture {
  readonly folder = Deno.makeTempDirSync({ prefix: "launcher test " });
  readonly cache = `${this.folder}/cache`;
  readonly executable = `${this.folder}/k8slan`;

  async build(fakeDeno = FAKE_DENO, executable = this.executable): Promise<void> {
    const bytes = new TextEncoder().encode(fakeDeno);
    const blob = await unpackingExecutable("1.2.3", "test", [
      { path: "k8slan", mode: 0o755, bytes },
      { path: "app/main.js", mode: 0o644, bytes: new TextEncoder().encode("// the program") },
    ]);
    await Deno.writeFile(executable, blob.stream(), { mode: 0o755 });
  }

  /** Starts it with nothing else in the environment than `env`. */
  async start(
    env: Record<string, string> = {},
    args: readonly string[] = [],
    stdin = "",
    uid = Deno.uid() ?? 0,
  ): Promise<
    { readonly code: number; readonly lines: readonly string[]; readonly stderr: string }
  > {
    const child = new Deno.Command(this.executable, {
      args: [...args],
      uid,
      cwd: this.folder, // the checkout may be closed to that user
      clearEnv: true,
      env: { K8SLAN_CACHE_DIR: this.cache, ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await new Blob([stdin]).stream().pipeTo(child.stdin);
    const { code, stdout, stderr } = await child.output();
    return {
      code,
      lines: new TextDecoder().decode(stdout).split("\n").slice(0, -1),
      stderr: new TextDecoder().decode(stderr),
    };
  }

  /** What the cache folder holds. */
  unpacked(): readonly string[] {
    return [...Deno.readDirSync(this.cache)].map((entry) => entry.name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

for (const PATH of [undefined, "", "/nowhere"]) {
  Deno.test(`launcher passes arguments, stdin and exit code with PATH ${PATH}`, async () => {
    using fixture = new Fixture();
    await fixture.build();
    const env: Record<string, string> = PATH === undefined ? {} : { PATH };
    for (const start of ["first", "second"]) {
      const { code, lines, stderr } = await fixture.start(env, ["a b", "", "--c"], "1\n2\n");
      const [id = ""] = fixture.unpacked();
      assert.equal(stderr, "", start);
      assert.deepEqual(lines.slice(lines.indexOf("-A") + 1), [
        `${fixture.cache}/${id}/app/main.js`,
        "a b",
        "",
        "--c",
        `executable=${fixture.executable}`,
        `deno_dir=${fixture.cache}/${id}/deno-dir`,
        "stdin=1",
        "stdin=2",
      ], start);
      assert.equal(code, 7, start);
    }
  });
}

Deno.test("launcher unpacks once when started many times at once", async () => {
  using fixture = new Fixture();
  await fixture.build();
  const starts = await Promise.all(Array.from({ length: 20 }, () => fixture.start()));
  assert.deepEqual(starts.map(({ code, stderr }) => `${code}${stderr}`), Array(20).fill("7"));
  const [id = "", ...rest] = fixture.unpacked();
  assert.deepEqual(rest, []);
  const names = [...Deno.readDirSync(`${fixture.cache}/${id}`)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["app", "k8slan", "used"]);
});

Deno.test("launcher unpacks another version beside the one there is", async () => {
  using fixture = new Fixture();
  await fixture.build();
  await fixture.start();
  await fixture.build(FAKE_DENO.replace("exit 7", "exit 8"));
  assert.equal((await fixture.start()).code, 8);
  assert.equal(fixture.unpacked().length, 2);
});

Deno.test("launcher removes versions that were not started for a month", async () => {
  using fixture = new Fixture();
  await fixture.build();
  await fixture.start();
  const [old = ""] = fixture.unpacked();
  const month = new Date(Date.now() - 32 * 24 * 3600_000);
  await Deno.utime(`${fixture.cache}/${old}/used`, month, month);
  await fixture.build(FAKE_DENO.replace("exit 7", "exit 8"));
  assert.equal((await fixture.start()).code, 8);
  assert.equal(fixture.unpacked().length, 1);
  assert.equal(fixture.unpacked().includes(old), false);
});

Deno.test("launcher repairs a copy whose program is gone", async () => {
  using fixture = new Fixture();
  await fixture.build();
  await fixture.start();
  const [id = ""] = fixture.unpacked();
  await Deno.remove(`${fixture.cache}/${id}/k8slan`);
  assert.equal((await fixture.start()).code, 7);
  assert.deepEqual(fixture.unpacked(), [id]);
});

Deno.test("launcher keeps nothing of a file that was cut off, and says so", async () => {
  using fixture = new Fixture();
  await fixture.build();
  await Deno.truncate(fixture.executable, 8192 + 700);
  const { code, lines, stderr } = await fixture.start();
  assert.equal(code, 1);
  assert.deepEqual(lines, []);
  assert.match(stderr, /^k8slan: cannot unpack itself \(.*tar.*set K8SLAN_CACHE_DIR/s);
  assert.deepEqual(fixture.unpacked(), []);
});

for (const [variable, expected] of [["HOME", ".cache/k8slan"], ["TMPDIR", "k8slan-cache-"]]) {
  Deno.test(`launcher falls back to ${expected} in ${variable} for an ordinary user`, async () => {
    using fixture = new Fixture();
    await fixture.build();
    // To root /var/cache/k8slan comes first.
    const user = Deno.uid() || 65534;
    await Deno.chown(fixture.folder, user, null);
    const env = { K8SLAN_CACHE_DIR: "", [String(variable)]: fixture.folder };
    for (const start of ["first", "second"]) {
      const { code, lines, stderr } = await fixture.start(env, [], "", user);
      assert.equal(stderr, "", start);
      assert.equal(code, 7, start);
      assert.ok(lines.some((line) => line.startsWith(`deno_dir=${fixture.folder}/${expected}`)));
    }
  });
}

Deno.test({
  name: "launcher runs nothing from a folder that another user has laid",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    using fixture = new Fixture();
    await fixture.build();
    await fixture.start();
    const [id = ""] = fixture.unpacked();
    await Deno.chown(`${fixture.cache}/${id}`, 65534, 65534);
    const planted = await fixture.start();
    assert.deepEqual([planted.code, planted.lines], [1, []]);

    await Deno.chown(fixture.cache, 65534, 65534);
    await Deno.remove(`${fixture.cache}/${id}`, { recursive: true });
    const foreign = await fixture.start();
    assert.deepEqual([foreign.code, foreign.lines], [1, []]);
    assert.match(foreign.stderr, /belongs to another user/);
  },
});

Deno.test("launcher is found through a link of another name and from another folder", async () => {
  using fixture = new Fixture();
  await fixture.build();
  await Deno.symlink("k8slan", `${fixture.folder}/macvtap`);
  const { code, stdout } = await new Deno.Command("./macvtap", {
    cwd: fixture.folder,
    env: { K8SLAN_CACHE_DIR: fixture.cache },
    stdin: "null",
  }).output();
  assert.equal(code, 7);
  assert.match(new TextDecoder().decode(stdout), /executable=\/.*\/\.?\/?macvtap\n/);
});
