import assert from "node:assert/strict";
import { findFiles, tarArchive } from "./build_archive.ts";

const text = (value: string) => new TextEncoder().encode(value);

async function untar(pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<string> {
  const tar = new Deno.Command("tar", {
    args: ["--utc", "-tvf", "-"],
    stdin: "piped",
    stdout: "piped",
  })
    .spawn();
  await new Blob([...pieces]).stream().pipeTo(tar.stdin);
  const { stdout, success } = await tar.output();
  assert.ok(success);
  return new TextDecoder().decode(stdout);
}

Deno.test("tarArchive() sorts files and drops time and owner", async () => {
  const archive = tarArchive([
    { path: "deno", mode: 0o755, bytes: text("x".repeat(513)) },
    { path: "app/main.js", mode: 0o644, bytes: text("") },
  ]);
  assert.deepEqual((await untar(archive)).trim().split("\n").map((line) => line.split(/\s+/)), [
    ["-rw-r--r--", "0/0", "0", "1970-01-01", "00:00", "app/main.js"],
    ["-rwxr-xr-x", "0/0", "513", "1970-01-01", "00:00", "deno"],
  ]);
});

Deno.test("tarArchive() holds folders and symbolic links", async () => {
  const archive = tarArchive([
    { path: "lib", target: "usr/lib" },
    { path: "tmp", mode: 0o1777 },
  ]);
  assert.deepEqual((await untar(archive)).trim().split("\n").map((line) => line.split(/\s+/)), [
    ["lrwxrwxrwx", "0/0", "0", "1970-01-01", "00:00", "lib", "->", "usr/lib"],
    ["drwxrwxrwt", "0/0", "0", "1970-01-01", "00:00", "tmp/"],
  ]);
});

Deno.test("tarArchive() refuses a name that its header cannot hold", () => {
  const name = "a".repeat(101);
  for (const entry of [{ path: name, mode: 0o644, bytes: text("") }, { path: "a", target: name }]) {
    assert.throws(() => tarArchive([entry]), /longer than 100 bytes/);
  }
});

Deno.test("findFiles() finds the files of an archive, behind something else", async () => {
  const files = [
    { path: "app/main.js", mode: 0o644, bytes: text("") },
    { path: "deno", mode: 0o755, bytes: text("x".repeat(513)) },
    { path: "other", mode: 0o600, bytes: text("y") },
  ];
  const folder = { path: "app", mode: 0o755 };
  const pieces = [text("before"), ...tarArchive([...files, folder])];
  const whole = new Uint8Array(await new Blob(pieces).arrayBuffer());
  const found = findFiles(whole, "before".length).map(({ path, mode, start, size }) => (
    { path, mode, bytes: whole.slice(start, start + size) }
  ));
  assert.deepEqual(found, files);
});

Deno.test("findFiles() refuses what is no archive", () => {
  assert.throws(() => findFiles(text("hello")), /No archive of ours at byte 0/);
});
