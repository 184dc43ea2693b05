/** scripts/bench runs, and its ratios are within bounds that even a loaded machine keeps. */

import assert from "node:assert/strict";
import { type Finding, ratioOf } from "../../scripts/benchmarks/finding.ts";
import { runProgram } from "../support/lab_process.ts";
import { rootTest } from "../support/netns_lab.ts";
import { TempDir } from "../support/temp_dir.ts";

const BENCH = new URL("../../scripts/bench", import.meta.url).pathname;

interface Bound {
  readonly what: RegExp;
  readonly other: RegExp;
  /** Ours is at most so many times the other. */
  readonly most: number;
  /** There is nothing to compare with where Go cannot be had. */
  readonly optional?: true;
}

/** Budgets are for quiet machines; these find a regression. */
const BOUNDS: readonly Bound[] = [
  { what: /^One LAN, .* in process$/, other: /^Go netlink library$/, most: 2, optional: true },
  { what: /^One LAN, /, other: /ip -batch/, most: 1 },
  { what: /^Agent: DEL, not the last/, other: /^kernel alone/, most: 2 },
  { what: /^Agent: DEL, the last/, other: /^kernel alone/, most: 3 },
  { what: /^CNI process, VERSION: start to exit$/, other: /^bare deno$/, most: 4 },
  { what: /^CNI process, ADD, .*: start to exit$/, other: /^bare deno$/, most: 6 },
  { what: /^CNI process, .*: most memory$/, other: /^bare deno$/, most: 2 },
];

rootTest("scripts/bench --quick finds nothing that has become much slower", async () => {
  using dir = new TempDir();
  const json = `${dir.path}/findings.json`;
  await runProgram([BENCH, "--quick", "--json", json, "lan", "attach", "cni"]);
  const findings: readonly Finding[] = JSON.parse(await Deno.readTextFile(json));
  for (const { what, other, most, optional } of BOUNDS) {
    const found = findings.filter((finding) =>
      what.test(finding.what) && finding.other !== undefined && other.test(finding.other.name)
    );
    assert.ok(optional || found.length > 0, `nothing was found for ${what}`);
    for (const finding of found) {
      const ratio = ratioOf(finding);
      assert.ok(ratio !== undefined && ratio <= most, `${finding.what}: ${ratio} > ${most}`);
    }
  }
});
