import { deepStrictEqual, ok } from "node:assert/strict";
import { isAlone, testRuns, TIERS } from "./test_tiers.ts";

const ROOT = new URL("../", import.meta.url);

async function filesOf(folder: string): Promise<readonly string[]> {
  const find = ["find", folder, "-name", "*_test.ts"] as const;
  const { stdout } = await new Deno.Command(find[0], { args: find.slice(1), cwd: ROOT }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

for (const tier of TIERS) {
  Deno.test(`testRuns() has each file of tier ${tier.name} once`, async () => {
    const all = (await Promise.all(tier.folders.map(filesOf))).flat().sort();
    ok(all.length > 0);
    for (const file of tier.apart) ok(all.includes(file), file);
    const named = testRuns(tier).flatMap(({ files }) => files).sort();
    deepStrictEqual(named, tier.apart.length === 0 ? tier.folders.toSorted() : all);
  });
}

Deno.test("testRuns() runs what is apart in turn, and alone where the others are", () => {
  const [unit] = TIERS;
  ok(unit !== undefined && isAlone(unit));
  const [others, apart] = testRuns(unit);
  deepStrictEqual([others?.options, apart?.options], [["--parallel"], []]);
});
