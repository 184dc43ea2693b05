import assert from "node:assert/strict";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { findParts, isMadeOf, writeParts } from "./file_parts.ts";

/** More than one chunk, and no multiple of four. */
const SIZE = 700_001;

/** Bytes that differ from place to place. */
function content(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, at) => at * 31 >> 3);
}

/** Lays `bytes` into a folder, cut at `cuts`, under names in their order; one is a link. */
function layParts(dir: string, bytes: Uint8Array, cuts: readonly number[]): string {
  const folder = `${dir}/parts`;
  Deno.mkdirSync(folder);
  const ends = [...cuts, bytes.length];
  for (const [at, end] of ends.entries()) {
    const part = bytes.subarray(ends[at - 1] ?? 0, end);
    if (at !== 1) {
      Deno.writeFileSync(`${folder}/${at + 1}-part`, part);
    } else {
      Deno.writeFileSync(`${dir}/elsewhere`, part);
      Deno.symlinkSync("../elsewhere", `${folder}/${at + 1}-part`);
    }
  }
  return folder;
}

async function write(source: string, path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  await writeParts(await findParts(source), file);
}

Deno.test("writeParts() puts the parts of a folder together", async () => {
  using dir = new TempDir();
  const folder = layParts(dir.path, content(SIZE), [8_192, 300_003]);
  const whole = `${dir.path}/whole`;
  await write(folder, whole);
  assert.deepEqual(Deno.readFileSync(whole), content(SIZE));
  assert.equal((await findParts(folder)).size, SIZE);
  assert.equal(await isMadeOf(whole, await findParts(folder)), true);
});

Deno.test("writeParts() copies a single file", async () => {
  using dir = new TempDir();
  Deno.writeFileSync(`${dir.path}/a`, content(SIZE));
  await write(`${dir.path}/a`, `${dir.path}/b`);
  assert.deepEqual(Deno.readFileSync(`${dir.path}/b`), content(SIZE));
});

const CHANGES: readonly (readonly [string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array])[] = [
  ["the first byte", (bytes) => bytes.with(0, bytes[0]! ^ 1)],
  ["a byte in the second part", (bytes) => bytes.with(9_000, bytes[9_000]! ^ 1)],
  ["the last byte", (bytes) => bytes.with(SIZE - 1, bytes[SIZE - 1]! ^ 1)],
  ["its length", (bytes) => bytes.subarray(0, SIZE - 1)],
  ["its end, which is too long", (bytes) => new Uint8Array([...bytes, 0])],
];

for (const [what, change] of CHANGES) {
  Deno.test(`isMadeOf() tells a file that differs in ${what}`, async () => {
    using dir = new TempDir();
    const folder = layParts(dir.path, content(SIZE), [8_192, 300_003]);
    Deno.writeFileSync(`${dir.path}/whole`, change(content(SIZE)));
    assert.equal(await isMadeOf(`${dir.path}/whole`, await findParts(folder)), false);
  });
}

Deno.test("findParts() gives another stamp for a part that was replaced by its like", async () => {
  using dir = new TempDir();
  const folder = layParts(dir.path, content(SIZE), [8_192]);
  const before = await findParts(folder);
  assert.equal((await findParts(folder)).stamp, before.stamp);
  Deno.utimeSync(`${folder}/1-part`, 1, 1);
  assert.notEqual((await findParts(folder)).stamp, before.stamp);
});

Deno.test("findParts() throws NotFound where nothing is", async () => {
  await assert.rejects(() => findParts("/nonexistent/k8slan"), Deno.errors.NotFound);
});
