import { deepEqual, equal, match } from "node:assert/strict";
import { cliRun } from "../../tests/support/cli_run.ts";

async function script(shell: string): Promise<string> {
  const { code, out } = await cliRun(["completion", shell]);
  equal(code, 0);
  return out;
}

/** What bash offers for the last of `words` when a person presses the tab key. */
async function complete(words: readonly string[], cwd = "/"): Promise<string[]> {
  const driver =
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _k8slan; printf "%s\\n" "${COMPREPLY[@]}"';
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["--norc", "-c", `${await script("bash")}\n${driver}`, "bash", "k8slan", ...words],
    cwd,
  }).output();
  const decoder = new TextDecoder();
  deepEqual([decoder.decode(stderr), success], ["", true]);
  return decoder.decode(stdout).split("\n").filter((word) => word !== "");
}

for (
  const [words, offered] of [
    [["pl"], ["plan"]],
    [["--v"], ["--version"]],
    [["status", "--s"], ["--socket"]],
    [["status", "-o", ""], ["table", "wide", "json"]],
    [["status", "--output", "w"], ["wide"]],
    [["status", "--output", "=", ""], ["table", "wide", "json"]],
    [["status", "--output", "=", "j"], ["json"]],
    [["plan", "--node", ""], []],
    [["agent", "--log-level", "d"], ["debug"]],
    [["agent", "--stand"], ["--standalone"]],
    [["completion", ""], ["bash", "zsh", "fish", "-h", "--help"]],
    [["help", "val"], ["validate"]],
    [["nonsense", "--"], []],
  ] as const
) {
  Deno.test(`completion() makes bash complete "${words.join(" ")}"`, async () => {
    deepEqual(await complete(words), offered);
  });
}

Deno.test("completion() makes bash offer every command", async () => {
  const { out } = await cliRun(["--help"]);
  const listed = [...out.slice(out.indexOf("Commands:")).matchAll(/^ {2}(\w+)/gm)];
  const offered = await complete([""]);
  deepEqual(offered.filter((word) => !word.startsWith("-")), listed.map(([, name]) => name));
});

Deno.test("completion() makes bash offer every option of a command's help", async () => {
  const { out } = await cliRun(["attach", "--help"]);
  const listed = [...out.matchAll(/^ {2}(-\w, )?(--[\w-]+)/gm)].map(([, , long]) => long);
  const offered = await complete(["attach", "--"]);
  deepEqual(offered, listed);
});

Deno.test("completion() makes bash offer files and folders", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${dir}/my lan.yaml`, "");
    Deno.mkdirSync(`${dir}/my lans`);
    deepEqual((await complete(["plan", "-f", "my"], dir)).sort(), ["my lan.yaml", "my lans"]);
    deepEqual(await complete(["agent", "--lans", "my"], dir), ["my lans"]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("completion() writes zsh's specifications", async () => {
  const text = await script("zsh");
  match(text, /^#compdef k8slan\n/);
  match(text, /\n {6}'plan:Print the shell commands that build LANs by hand; touch nothing\.'\n/);
  match(text, /'\(-o --output\)-o\[form of the output\]:value:\(table wide json\)' \\\n/);
  match(
    text,
    /'\*--file=\[LAN files, folders of them, or - for standard input\]:file:_files' \\\n/,
  );
  match(text, /'--lans=\[folder of LAN files, watched for changes\]:folder:_files -\/' \\\n/);
  match(text, /'1: :\(bash zsh fish\)'\n/);
});

Deno.test("completion() writes fish's specifications", async () => {
  const lines = (await script("fish")).split("\n");
  const seen = (name: string) => `complete -c k8slan -n '__fish_seen_subcommand_from ${name}'`;
  const has = (line: string) => equal(lines.includes(line), true, line);
  has(`${seen("status")} -s o -l output -x -a 'table wide json' -d 'form of the output'`);
  has(
    `${seen("plan")} -s f -l file -r -F -d 'LAN files, folders of them, or - for standard input'`,
  );
  has(`${seen("completion")} -a 'bash zsh fish'`);
});
