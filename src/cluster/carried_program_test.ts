import assert from "node:assert/strict";
import { unpackingExecutable } from "../../scripts/build_unpacking.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { findCarried } from "./carried_program.ts";
import { findParts } from "./file_parts.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const FILES = [
  { path: "k8slan", mode: 0o755, bytes: new Uint8Array(300_003).fill(7) },
  { path: "app/main.js", mode: 0o644, bytes: encode("// main") },
  { path: "app/src/cni/main.js", mode: 0o644, bytes: encode("") },
];

async function executable(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await unpackingExecutable("1.2.3", "test", FILES)).arrayBuffer());
}

async function carriedBy(bytes: Uint8Array, cuts: readonly number[] = []) {
  using dir = new TempDir();
  for (const [at, end] of [...cuts, bytes.length].entries()) {
    Deno.writeFileSync(`${dir.path}/${at}`, bytes.subarray(cuts[at - 1] ?? 0, end));
  }
  return await findCarried(await findParts(dir.path));
}

for (const cuts of [[], [8192 + 1024, 250_000], [100, 8192, 8193]]) {
  Deno.test(`findCarried() finds each file of an executable cut at ${cuts}`, async () => {
    const bytes = await executable();
    const carried = await carriedBy(bytes, cuts);
    assert.match(carried?.id ?? "", /^[0-9a-f]{16}$/);
    assert.deepEqual(
      carried?.files.map(({ path, mode, start, size }) => (
        { path, mode, bytes: bytes.slice(start, start + size) }
      )),
      FILES.toSorted((a, b) => a.path < b.path ? -1 : 1),
    );
  });
}

for (const text of ["\x7fELF…", "", "#!/bin/sh\necho hello\n", "id=0123456789abcdef\noffset=1\n"]) {
  Deno.test(`findCarried() finds nothing in ${JSON.stringify(text)}`, async () => {
    assert.equal(await carriedBy(encode(text)), undefined);
  });
}

Deno.test("findCarried() refuses what is cut off or overwritten", async () => {
  const bytes = await executable();
  for (const size of [8192, 8192 + 600, bytes.length - 1024]) {
    await assert.rejects(() => carriedBy(bytes.subarray(0, size)), /^Error: The executable is cut/);
  }
  const text = "no archive".repeat(200);
  await assert.rejects(
    () => carriedBy(new Uint8Array([...bytes.subarray(0, 8192), ...encode(text)])),
    /is damaged: at byte 8192/,
  );
});
