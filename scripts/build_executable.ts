/**
 * Makes the one executable, dist/k8slan; started by scripts/build.
 *
 *     scripts/build [--target x86_64|aarch64] [--form compiled|unpacking]
 *
 * There are two forms that start and behave the same. `compiled` is made by `deno compile`, which
 * needs Deno's runtime "denort" from Deno's site, or laid by hand under DENO_DIR. `unpacking` is
 * made of Deno itself and a launcher, where denort cannot be had. Without `--form` the first one
 * is made if it can be. For another machine's target the file is dist/k8slan-<target>.
 */

// deno-lint-ignore-file no-console

import { parseArgs } from "node:util";
import { BUNDLE_INPUTS, bundleProgram, filesUnder, importLate } from "./build_bundle.ts";
import { unpackingExecutable } from "./build_unpacking.ts";
import { describe } from "../src/base/errors.ts";
import { RUN_FLAGS } from "../src/cluster/program_start.ts";
import { version } from "../src/version.ts";

type Form = "compiled" | "unpacking";

/** Machines by their name in `uname -m`, with Deno's name for them. */
const TARGETS: Readonly<Record<string, string>> = {
  x86_64: "x86_64-unknown-linux-gnu",
  aarch64: "aarch64-unknown-linux-gnu",
};

const ALIASES: Readonly<Record<string, string>> = { amd64: "x86_64", arm64: "aarch64" };

async function main(): Promise<number> {
  Deno.chdir(new URL("..", import.meta.url));
  const { values } = parseArgs({
    options: { target: { type: "string" }, form: { type: "string" } },
  });
  const target = ALIASES[values.target ?? ""] ?? values.target ?? Deno.build.arch;
  const triple = TARGETS[target];
  if (triple === undefined) return usage("target", target, Object.keys(TARGETS));
  const wanted = values.form;
  if (wanted !== undefined && wanted !== "compiled" && wanted !== "unpacking") {
    return usage("form", wanted, ["compiled", "unpacking"]);
  }

  const file = target === Deno.build.arch ? "dist/k8slan" : `dist/k8slan-${target}`;
  const stamp = `${file}.stamp`;
  const key = await hashInputs([triple, wanted ?? "", Deno.version.deno, Deno.version.v8]);
  if (await readIfAny(stamp) === key && await readSize(file) !== undefined) {
    console.log(`${await describeFile(file)}, unchanged`);
    return 0;
  }

  const form = wanted ?? await chooseForm(triple);
  await Deno.mkdir("dist", { recursive: true });
  const work = await Deno.makeTempDir({ prefix: "k8slan-build-" });
  try {
    await bundleProgram(`${work}/stage`, `${work}/app`);
    const made = `${work}/k8slan`;
    if (form === "compiled") await compile(`${work}/app`, triple, made);
    else await carry(`${work}/app`, target, made);
    await Deno.chmod(made, 0o755);
    // Two that build at once must not write to one file.
    const unfinished = `${file}.${Deno.pid}.new`;
    await Deno.copyFile(made, unfinished);
    await Deno.rename(unfinished, file);
    await Deno.writeTextFile(stamp, key);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  console.log(`${await describeFile(file)}, ${form} form, Deno ${Deno.version.deno}`);
  return 0;
}

function usage(option: string, found: string, known: readonly string[]): number {
  console.error(`Unknown --${option} "${found}"; expected one of: ${known.join(", ")}`);
  return 2;
}

/** "compiled" where denort is at hand or Deno's site answers, and a line that says why if not. */
async function chooseForm(triple: string): Promise<Form> {
  const url = `https://dl.deno.land/release/v${Deno.version.deno}/denort-${triple}.zip`;
  const { denoDir } = JSON.parse(await commandOutput(Deno.execPath(), ["info", "--json"]));
  const kept = `${denoDir}/dl/release/v${Deno.version.deno}/denort-${triple}.zip`;
  if (Deno.env.has("DENORT_BIN") || await readSize(kept) !== undefined) return "compiled";
  try {
    const { ok, status } = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.timeout(5_000),
    });
    if (ok) return "compiled";
    console.log(`build: ${url} answers ${status}, so the executable will unpack itself`);
  } catch {
    console.log(`build: ${url} is out of reach, so the executable will unpack itself`);
  }
  return "unpacking";
}

/**
 * The output of `deno compile`. V8's code cache is off: a compiled program keeps it under a
 * predictable name in TMPDIR, where other users could lay one for root to load.
 */
async function compile(app: string, triple: string, made: string): Promise<void> {
  for await (const path of filesUnder(app)) await Deno.utime(path, 0, 0);
  const flags = [...RUN_FLAGS, "--no-code-cache", "--no-check", "--quiet"];
  await commandOutput(Deno.execPath(), [
    "compile",
    ...flags,
    `--target=${triple}`,
    `--output=${made}`,
    `${app}/main.js`,
  ]);
  if (triple !== TARGETS[Deno.build.arch]) return;
  const said = await commandOutput(made, ["version"]);
  if (!said.includes(version)) throw new Error(`The compiled program says "${said.trim()}"`);
}

/** An executable that carries Deno and the program. */
async function carry(app: string, target: string, made: string): Promise<void> {
  const deno = target === Deno.build.arch ? Deno.execPath() : await commandOutput("sh", [
    "-c",
    '. scripts/lib/packages.sh; . scripts/lib/deno.sh; obtain_deno "$1"',
    "sh",
    target,
  ]);
  const files = [{ path: "k8slan", mode: 0o755, bytes: await Deno.readFile(deno.trim()) }];
  for await (const path of filesUnder(app)) {
    const name = `app${path.slice(app.length)}`;
    const text = importLate(await Deno.readTextFile(path));
    files.push({ path: name, mode: 0o644, bytes: new TextEncoder().encode(text) });
  }
  const executable = await unpackingExecutable(version, target, files);
  await Deno.writeFile(made, executable.stream());
}

/** One text that changes whenever the executable could. */
async function hashInputs(words: readonly string[]): Promise<string> {
  const parts = [...words];
  for (const input of [...BUNDLE_INPUTS, "scripts/lib/deno.sh", "scripts"]) {
    for await (const path of filesUnder(input)) {
      if (path.startsWith("scripts/") && !/\/(build|lib\/deno)/.test(path)) continue;
      parts.push(path, await sha256(await Deno.readFile(path)));
    }
  }
  return await sha256(new TextEncoder().encode(parts.join("\n")));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function describeFile(path: string): Promise<string> {
  const size = await readSize(path) ?? 0;
  return `build: ${path}, ${(size / 1e6).toFixed(1)} MB`;
}

async function readIfAny(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}

async function readSize(path: string): Promise<number | undefined> {
  return (await Deno.stat(path).catch(() => undefined))?.size;
}

/** What a command prints; throws if it fails. */
async function commandOutput(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot build: ${command} ${args.join(" ")} failed, see above`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(`build: ${describe(error)}`);
    Deno.exit(1);
  }
}
