import { deepStrictEqual, ok } from "node:assert/strict";
import { testRuns, TIERS } from "./test_tiers.ts";

const ROOT = new URL("../", import.meta.url);

for (const tier of TIERS) {
  Deno.test(`testRuns() leaves out no file of tier ${tier.name}`, () => {
    for (const file of tier.apart) {
      ok(Deno.statSync(new URL(file, ROOT)).isFile, file);
      ok(tier.folders.some((folder) => file.startsWith(`${folder}/`)), file);
    }
    const ignored = testRuns(tier).flatMap(({ files }) => files)
      .filter((file) => file.startsWith("--ignore=")).map((file) => file.slice("--ignore=".length));
    deepStrictEqual(ignored.flatMap((files) => files.split(",")), tier.apart);
  });
}
