import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { withFileLock } from "./file_lock.ts";

Deno.test("withFileLock() lets one at a time in, and leaves nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let inside = 0;
    const tasks = Array.from(
      { length: 20 },
      (_, at) =>
        withFileLock(`${folder}/a/lock`, async () => {
          strictEqual(++inside, 1);
          await Deno.stat(folder); // others may run meanwhile
          inside--;
          return at;
        }),
    );
    deepStrictEqual(await Promise.all(tasks), tasks.map((_, at) => at));
    deepStrictEqual([...Deno.readDirSync(`${folder}/a`)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("withFileLock() gives the lock back when its task fails", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const failing = () => Promise.reject(new Error("no"));
    await rejects(withFileLock(`${folder}/lock`, failing), /no/);
    strictEqual(await withFileLock(`${folder}/lock`, () => Promise.resolve(1)), 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
