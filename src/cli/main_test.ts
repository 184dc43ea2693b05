import { deepEqual, equal, match } from "node:assert/strict";
import { cliRun } from "../../tests/support/cli_run.ts";

const COMMANDS = [
  ...[
    "agent",
    "controller",
    "plan",
    "validate",
    "status",
    "attach",
    "detach",
    "cleanup",
    "version",
    "completion",
  ],
];

for (const command of COMMANDS) {
  Deno.test(`runCli() explains ${command} with an example`, async () => {
    const { code, out, err } = await cliRun([command, "--help"]);
    equal(code, 0);
    equal(err, "");
    match(out, new RegExp(`\nExamples?:\n(.*\n)*  .*k8slan ${command}`));
  });
}

Deno.test("runCli() prints help and fails when told nothing", async () => {
  const { code, out, err } = await cliRun([]);
  equal(code, 2);
  equal(out, "");
  match(err, /^Usage: k8slan \[options\] \[command\]\n/);
});

for (
  const [args, message] of [
    [["statu"], `unknown command 'statu' (Did you mean status?); see "k8slan --help"`],
    [["status", "--foo"], `unknown option '--foo'; see "k8slan status --help"`],
    [["status", "extra"], /too many arguments.*; see "k8slan status --help"$/],
    [
      ["plan"],
      /required option '-f, --file <file\.\.\.>' not specified; see "k8slan plan --help"$/,
    ],
    [["status", "-o", "xml"], /Allowed choices are table, wide, json; see "k8slan status --help"$/],
    [["plan", "-f", "-", "--underlay-mtu", "1"], /Expected a whole number from 1280 to 65535; see/],
    [["attach", "--netns", "blue"], "Say what to attach to: --lan, --spoke or both"],
    [["detach"], "Say what to detach: either --netns or --id"],
    [["detach", "--netns", "blue", "--id", "x"], "Say what to detach: either --netns or --id"],
    [["completion", "tcsh"], /Allowed choices are bash, zsh, fish; see/],
    [["agent", "--standalone"], "The agent needs a folder of LAN files: --lans"],
  ] as const
) {
  Deno.test(`runCli() refuses "${args.join(" ")}" in one line`, async () => {
    const { code, out, err } = await cliRun(args);
    deepEqual([code, out], [2, ""]);
    match(err, /^k8slan: [^\n]*\n$/);
    const said = err.slice("k8slan: ".length, -1);
    if (typeof message === "string") equal(said, message);
    else match(said, message);
  });
}

Deno.test("runCli() prints the version", async () => {
  const { code, out } = await cliRun(["version"]);
  equal(code, 0);
  match(out, /^k8slan \d+\.\d+\.\d+ \(deno \d+\.\d+\.\d+, \S+\)\n$/);
  equal((await cliRun(["--version"])).out, `${/\d+\.\d+\.\d+/.exec(out)?.[0]}\n`);
});

Deno.test("runCli() prints the version for programs", async () => {
  const { out } = await cliRun(["version", "-o", "json"]);
  deepEqual(Object.keys(JSON.parse(out)), ["version", "deno", "target"]);
});
