import assert from "node:assert/strict";
import { tarArchive } from "./build_archive.ts";

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

Deno.test("tarArchive() refuses a name that its header cannot hold", () => {
  assert.throws(
    () => tarArchive([{ path: "a".repeat(101), mode: 0o644, bytes: text("") }]),
    /longer than 100 bytes/,
  );
});
