import { deepStrictEqual } from "node:assert/strict";
import { runProgram } from "../tests/support/lab_process.ts";

const LIBRARY = new URL("lib/packages.sh", import.meta.url).pathname;

Deno.test("packages_alone lets one go after the other, and says how it ended", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // Whoever finds the other's mark fails.
    const work = 'mkdir "$0/mark" && sleep 0.1 && rmdir "$0/mark"';
    const script = '. "$0"; packages_alone sh -c "$1" "$2"';
    const one = () => runProgram(["sh", "-euc", script, LIBRARY, work, folder]).then(() => "done");
    deepStrictEqual(await Promise.all([one(), one(), one()]), ["done", "done", "done"]);
    await Deno.mkdir(`${folder}/mark`);
    deepStrictEqual(await one().catch(() => "failed"), "failed");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
