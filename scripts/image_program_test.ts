import assert from "node:assert/strict";
import type { ArchiveEntry } from "./build_archive.ts";
import { RUN_FLAGS } from "../src/cluster/program_start.ts";
import { unpackingExecutable } from "./build_unpacking.ts";
import { ENV } from "./image_layout.ts";
import { programLayers, withFolders } from "./image_program.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function carrying(): Promise<Uint8Array<ArrayBuffer>> {
  const executable = await unpackingExecutable("1.2.3", "test", [
    { path: "k8slan", mode: 0o755, bytes: encode("the runtime") },
    { path: "app/main.js", mode: 0o644, bytes: encode("// main") },
    { path: "app/src/cni/main.js", mode: 0o644, bytes: encode("// cni") },
  ]);
  return new Uint8Array(await executable.arrayBuffer());
}

function describe(entries: readonly ArchiveEntry[]): readonly string[] {
  return entries.map((entry) => {
    if ("target" in entry) return `${entry.path} -> ${entry.target}`;
    return `${entry.mode.toString(8)} ${entry.path}`;
  }).sort();
}

function fileOf(entries: readonly ArchiveEntry[], path: string): Uint8Array {
  const entry = entries.find((each) => each.path === path);
  assert.ok(entry !== undefined, `there is ${path}`);
  if ("target" in entry) {
    return fileOf(entries, new URL(entry.target, `file:///${path}`).pathname.slice(1));
  }
  assert.ok("bytes" in entry, `${path} is a file`);
  return entry.bytes;
}

Deno.test("programLayers() lays a compiled program in as it is, for the host too", () => {
  const { runtime, program } = programLayers(encode("\x7fELF…"));
  assert.deepEqual(runtime, []);
  assert.deepEqual(describe(program), ["755 opt/k8slan/k8slan", "opt/k8slan/host -> k8slan"]);
  assert.equal(decode(fileOf(program, "opt/k8slan/host")), "\x7fELF…");
});

Deno.test("programLayers() unpacks what would unpack itself", async () => {
  const { runtime, program } = programLayers(await carrying());
  assert.deepEqual(describe(runtime), ["755 opt/k8slan/lib/k8slan"]);
  assert.deepEqual(describe(program), [
    "644 opt/k8slan/app/main.js",
    "644 opt/k8slan/app/src/cni/main.js",
    "644 opt/k8slan/deno.json",
    "644 opt/k8slan/host/1-launcher",
    "644 opt/k8slan/host/3-end",
    "755 opt/k8slan/k8slan",
    "opt/k8slan/host/2-deno -> ../lib/k8slan",
  ]);
  const all = [...runtime, ...program];
  assert.equal(decode(fileOf(all, "opt/k8slan/host/2-deno")), "the runtime");
  assert.equal(decode(fileOf(all, "opt/k8slan/app/main.js")), "// main");
});

Deno.test("programLayers() keeps the executable in parts that are it again", async () => {
  const executable = await carrying();
  const { runtime, program } = programLayers(executable);
  const all = [...runtime, ...program];
  const parts = ["1-launcher", "2-deno", "3-end"].map((name) => (
    new Uint8Array(fileOf(all, `opt/k8slan/host/${name}`))
  ));
  assert.deepEqual(new Uint8Array(await new Blob(parts).arrayBuffer()), executable);
});

Deno.test("programLayers() starts Deno as the launcher does", async () => {
  const { program } = programLayers(await carrying());
  const launcher = await Deno.readTextFile(new URL("build_launcher.sh", import.meta.url));
  const starter = decode(fileOf(program, "opt/k8slan/k8slan"));
  const config = JSON.parse(decode(fileOf(program, "opt/k8slan/deno.json")));
  const kept: Readonly<Record<string, unknown>> = {
    "-A": starter.startsWith("#!/opt/k8slan/lib/k8slan -A\n"),
    "--unstable-net": config.unstable.includes("net"),
    "--no-lock": config.lock === false,
    "--no-config": Object.keys(config).length === 2, // nothing but the above
    "--no-prompt": ENV["DENO_NO_PROMPT"] === "1",
    "--cached-only": !/https?:/.test(starter), // and a bundle imports nothing from elsewhere
  };
  assert.deepEqual(RUN_FLAGS.toSorted(), Object.keys(kept).sort());
  for (const [flag, is] of Object.entries(kept)) assert.ok(is, flag);
  for (const name of ["DENO_NO_UPDATE_CHECK", "DENO_NO_PACKAGE_JSON"]) {
    assert.ok(launcher.includes(`${name}=${ENV[name]}`), name);
  }
});

Deno.test("withFolders() adds the folders that entries lie in, once", () => {
  const entries = [
    { path: "a/b/c", target: "x" },
    { path: "a/b/d", target: "x" },
    { path: "a/private", mode: 0o700 },
    { path: "a/private/e", target: "x" },
  ];
  const folders = withFolders(entries).slice(entries.length);
  assert.deepEqual(describe(folders), ["755 a", "755 a/b"]);
});
