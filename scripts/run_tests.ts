/** Runs `deno task ok` and the test tiers, and counts; started by scripts/test. */

// deno-lint-ignore-file no-console

import { closingLine, countTests, sumCounts, type TestCounts } from "./test_counts.ts";

/** One kind of test by what it needs; CONTRIBUTING.md defines what belongs where. */
interface Tier {
  readonly name: string;
  readonly folders: readonly string[];
  /** Further options of `deno test`. Without `--parallel` one file runs after the other. */
  readonly options: readonly string[];
  readonly needsRoot: boolean;
  /** Debian packages, each as PACKAGE:COMMAND or PACKAGE:/PATH. */
  readonly packages: readonly string[];
  /** The tests start dist/k8slan. */
  readonly needsExecutable: boolean;
  /** After so many minutes the tier is ended and has failed. */
  readonly minutes: number;
}

const TIERS: readonly Tier[] = [
  {
    name: "unit",
    folders: ["src", "scripts", "tests/support"],
    options: ["--parallel"],
    needsRoot: false,
    packages: [],
    needsExecutable: false,
    minutes: 10,
  },
  {
    name: "kernel",
    folders: ["tests/kernel"],
    options: [],
    needsRoot: true,
    packages: [
      "iproute2:ip",
      "iputils-ping:ping",
      "tcpdump:tcpdump",
      "iperf3:iperf3",
      "nftables:nft",
      "util-linux:nsenter",
      "procps:ps",
      "containernetworking-plugins:/usr/lib/cni/static",
    ],
    needsExecutable: true,
    minutes: 40,
  },
  {
    name: "apiserver",
    folders: ["tests/apiserver"],
    options: [],
    needsRoot: false,
    packages: ["openssl:openssl", "procps:ps"],
    needsExecutable: false,
    // Kubernetes may have to be built first, here or in the next tier: 10 minutes.
    minutes: 30,
  },
  {
    name: "cluster",
    folders: ["tests/cluster"],
    options: [],
    needsRoot: true,
    packages: [
      "iproute2:ip",
      "iputils-ping:ping",
      "openssl:openssl",
      "procps:ps",
      "util-linux:nsenter",
      "qemu-system-x86:qemu-system-x86_64",
      "tcpdump:tcpdump",
      "xz-utils:xz",
    ],
    needsExecutable: true,
    minutes: 45,
  },
];

const SKIPPED: TestCounts = { passed: 0, failed: 0, skipped: 1 };
const FAILED: TestCounts = { passed: 0, failed: 1, skipped: 0 };

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

  const report: string[] = [];
  const counts: TestCounts[] = [];
  if (!await run(Deno.execPath(), ["task", "ok"])) {
    report.push("ok: a check failed, see above");
    counts.push(FAILED);
  }
  for (const tier of TIERS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    console.log(`\n== ${tier.name} ==`);
    const started = performance.now();
    const [result, note] = await runTier(tier, options);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const { passed, failed, skipped } = result;
    counts.push(result);
    report.push(
      `${tier.name}: ${
        note ?? `passed ${passed}, failed ${failed}, skipped ${skipped}`
      }, ${seconds} s`,
    );
  }

  const sum = sumCounts(counts);
  if (sum.passed + sum.failed === 0) report.push("No test ran");
  console.log(`\n${report.join("\n")}\n${closingLine(sum)}`);
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}

/** The counts, and what to say instead of them when the tests could not be started. */
async function runTier(
  tier: Tier,
  options: readonly string[],
): Promise<readonly [TestCounts, string?]> {
  if (tier.needsRoot) {
    const reason = await reasonAgainstNamespaces();
    if (reason !== undefined) return [SKIPPED, `skipped as a whole: ${reason}`];
  }
  if (!await installPackages(tier.packages)) {
    return [FAILED, "failed: the packages it needs could not be installed, see above"];
  }
  if (tier.needsExecutable && !await run("scripts/build", [])) {
    return [FAILED, "failed: dist/k8slan could not be built, see above"];
  }
  return [await denoTest(tier, options)];
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

async function denoTest(tier: Tier, options: readonly string[]): Promise<TestCounts> {
  // Types were checked once for all files by `deno task ok`.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--frozen", "--no-check", ...tier.options, ...options, ...tier.folders],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const timer = setTimeout(() => {
    console.error(`${tier.name}: ended, since it took more than ${tier.minutes} minutes`);
    child.kill("SIGKILL");
  }, tier.minutes * 60_000);
  let output = "";
  const reading = (async () => {
    for await (const bytes of child.stdout) {
      await writeAll(bytes);
      output += new TextDecoder().decode(bytes);
    }
  })();
  const { code } = await child.status;
  clearTimeout(timer);
  // A program that a test left behind may hold the pipe open for ever.
  await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, 5_000))]);
  return countTests(output, code);
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

async function run(command: string, args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(command, { args: [...args], stdin: "null" }).spawn();
  return (await child.status).success;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
