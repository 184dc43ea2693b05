/** Runs `deno task ok` and the test tiers, and counts; started by scripts/test. */

// deno-lint-ignore-file no-console

import { denoTest } from "./deno_test.ts";
import { closingLine, sumCounts, type TestCounts } from "./test_counts.ts";
import { isAlone, type TestRun, testRuns, type Tier, TIERS } from "./test_tiers.ts";

const SKIPPED: TestCounts = { passed: 0, failed: 0, skipped: 1 };
const FAILED: TestCounts = { passed: 0, failed: 1, skipped: 0 };

const OBTAIN_KUBERNETES = ["run", "-A", "--frozen", "scripts/local_cluster/main.ts", "obtain"];

/** Tests of the kernel and of clusters wait more than they work. */
const BESIDE_EACH_OTHER = navigator.hardwareConcurrency + 1;

/** What became of a tier, or of one of its processes. */
interface Result {
  readonly tier: Tier;
  readonly counts: TestCounts;
  readonly seconds: number;
  /** What to say instead of the counts when its tests were not started. */
  readonly note?: string;
}

async function main(args: readonly string[]): Promise<number> {
  Deno.chdir(new URL("..", import.meta.url));
  const end = args.indexOf("--");
  const names = end < 0 ? args : args.slice(0, end);
  const options = end < 0 ? [] : args.slice(end + 1);
  const unknown = names.find((name) => !TIERS.some((tier) => tier.name === name));
  if (unknown !== undefined) {
    const known = TIERS.map((tier) => tier.name).join(", ");
    console.error(`Unknown tier "${unknown}"; the tiers are: ${known}`);
    return 2;
  }

  const started = performance.now();
  const isOk = await run(Deno.execPath(), ["task", "ok"]);
  const results: Result[] = [];
  const runs: TestRun[] = [];
  for (const tier of TIERS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const obstacle = await prepare(tier);
    if (obstacle === undefined) runs.push(...testRuns(tier));
    else results.push(obstacle);
  }
  for (const run of runs.filter(({ tier }) => isAlone(tier))) {
    results.push(await runTests(run, options, ""));
  }
  const others = runs.filter(({ tier }) => !isAlone(tier));
  results.push(
    ...await besideEachOther(others, (run) => {
      return runTests(run, options, others.length > 1 ? `${run.tier.name}| ` : "");
    }),
  );

  const sum = sumCounts([...results.map(({ counts }) => counts), ...(isOk ? [] : [FAILED])]);
  console.log(
    `\n${[...new Set(results.map(({ tier }) => tier))].map(reportOf(results)).join("\n")}`,
  );
  if (!isOk) console.log("ok: a check failed, see above");
  if (sum.passed + sum.failed === 0) console.log("No test ran");
  console.log(`all of it: ${secondsSince(started).toFixed(1)} s\n${closingLine(sum)}`);
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}

/** Obtains what a tier needs. A result, if its tests can't be started. */
async function prepare(tier: Tier): Promise<Result | undefined> {
  const started = performance.now();
  const result = (counts: TestCounts, note: string): Result => {
    return { tier, counts, note, seconds: secondsSince(started) };
  };
  if (tier.needsRoot) {
    const reason = await reasonAgainstNamespaces();
    if (reason !== undefined) return result(SKIPPED, `skipped as a whole: ${reason}`);
  }
  if (!await installPackages(tier.packages)) {
    return result(FAILED, "failed: the packages it needs could not be installed, see above");
  }
  if (tier.needsExecutable && !await run("scripts/build", [])) {
    return result(FAILED, "failed: dist/k8slan could not be built, see above");
  }
  // Before tests that mind a busy machine, and only once for all that would wait for it.
  if (tier.needsKubernetes && !await run(Deno.execPath(), OBTAIN_KUBERNETES)) {
    return result(FAILED, "failed: programs of Kubernetes could not be obtained, see above");
  }
}

async function reasonAgainstNamespaces(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "it needs root";
  const { success } = await new Deno.Command("unshare", {
    args: ["--net", "--mount", "--propagation=unchanged", "true"],
    stdout: "null",
    stderr: "null",
  }).output();
  return success ? undefined : "this root may not create namespaces (CAP_SYS_ADMIN is missing)";
}

async function installPackages(packages: readonly string[]): Promise<boolean> {
  if (packages.length === 0) return true;
  return await run("sh", ["-c", `. scripts/lib/packages.sh; need "$@"`, "sh", ...packages]);
}

async function runTests(
  { tier, options: own, files }: TestRun,
  options: readonly string[],
  label: string,
): Promise<Result> {
  const started = performance.now();
  const counts = await denoTest({
    args: [...own, ...options, ...files],
    minutes: tier.minutes,
    say: (line) => console.log(`${label}${line}`),
  });
  return { tier, counts, seconds: secondsSince(started) };
}

/** What `one` gives for each of `all`, begun in their order, so many at a time. */
async function besideEachOther(
  all: readonly TestRun[],
  one: (run: TestRun) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = all.values();
  await Promise.all(Array.from({ length: BESIDE_EACH_OTHER }, async () => {
    for (const run of waiting) results.push(await one(run));
  }));
  return results;
}

/** A line on a tier. */
function reportOf(results: readonly Result[]): (tier: Tier) => string {
  return (tier) => {
    const own = results.filter((result) => result.tier === tier);
    const { passed, failed, skipped } = sumCounts(own.map(({ counts }) => counts));
    const what = own[0]?.note ?? `passed ${passed}, failed ${failed}, skipped ${skipped}`;
    const seconds = own.map(({ seconds }) => seconds.toFixed(1)).join(" and ");
    return `${tier.name}: ${what}, ${seconds} s`;
  };
}

async function run(command: string, args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(command, { args: [...args], stdin: "null" }).spawn();
  return (await child.status).success;
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1_000;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
