/**
 * Kubernetes' own programs: the official ones where their site is reachable, else built with Go from
 * the module in the folder kubernetes/, which pins the version for both.
 */

import { createHash } from "node:crypto";
import { runProgram } from "../../tests/support/lab_process.ts";
import { withFileLock } from "./file_lock.ts";
import { installPackages, isFile, type Say } from "./tools.ts";

const PROGRAMS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubectl",
  "kubelet",
];
const SITE = "https://dl.k8s.io";
const MODULE = new URL("kubernetes/", import.meta.url).pathname;
/** Of Go's major version 1. */
const LEAST_GO_MINOR = 24;
/** Those of the official build. */
const BUILD_TAGS = "selinux,notest,grpcnotrace";

/** The folder of the programs. Throws when they can be neither downloaded nor built. */
export async function kubernetesBinaries(tools: string, say: Say): Promise<string> {
  const modules = await Deno.readTextFile(`${MODULE}go.mod`);
  const version = kubernetesVersion(modules);
  const recipe = createHash("sha256").update(modules).update(BUILD_TAGS).digest("hex").slice(0, 8);
  const folder = `${tools}/kubernetes-${version}-${Deno.build.arch}-${recipe}`;
  await withFileLock(`${folder}.lock`, async () => {
    if (await isComplete(folder)) return;
    // What an interrupted run has finished is kept; Go keeps what it has compiled.
    await Deno.mkdir(folder, { recursive: true });
    const origin = await isReachable(version)
      ? await download(version, folder, say)
      : await build(version, folder, say);
    await Deno.writeTextFile(`${folder}/origin`, `${origin}\n`);
  });
  return folder;
}

/** The version that a go.mod requires of Kubernetes, such as "v1.34.4". */
export function kubernetesVersion(modules: string): string {
  const version = /^(?:require)?\s*k8s\.io\/kubernetes (v\d+\.\d+\.\d+)(?: \/\/.*)?$/m.exec(modules)
    ?.[1];
  if (version === undefined) throw new Error(`"${MODULE}go.mod" requires no k8s.io/kubernetes`);
  return version;
}

/** Flags for the linker that tell the programs their version. */
export function versionFlags(version: string): string {
  const [major, minor] = version.slice(1).split(".");
  const facts = [
    `gitVersion=${version}`,
    `gitMajor=${major}`,
    `gitMinor=${minor}`,
    "gitTreeState=clean",
  ];
  const packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];
  const flags = packages.flatMap((name) => facts.map((fact) => `-X ${name}.${fact}`));
  return ["-s", "-w", ...flags].join(" ");
}

async function isComplete(folder: string): Promise<boolean> {
  const found = await Promise.all(
    ["origin", ...PROGRAMS].map((name) => isFile(`${folder}/${name}`)),
  );
  return found.every((there) => there);
}

async function isReachable(version: string): Promise<boolean> {
  try {
    const answer = await fetch(address(version, "kubectl.sha256"), {
      signal: AbortSignal.timeout(5_000),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

async function download(version: string, folder: string, say: Say): Promise<string> {
  say(`Downloading Kubernetes ${version} from ${SITE} into ${folder}`);
  for (const program of PROGRAMS) {
    if (await isFile(`${folder}/${program}`)) continue;
    const expected = (await (await get(address(version, `${program}.sha256`))).text()).trim();
    const bytes = new Uint8Array(await (await get(address(version, program))).arrayBuffer());
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== expected) {
      throw new Error(`${program} of ${SITE} has SHA-256 "${found}", expected "${expected}"`);
    }
    await Deno.writeFile(`${folder}/${program}.part`, bytes, { mode: 0o755 });
    await Deno.rename(`${folder}/${program}.part`, `${folder}/${program}`);
  }
  return `Downloaded from ${SITE}`;
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`"${url}" answers ${answer.status}`);
  return answer;
}

function address(version: string, file: string): string {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  return `${SITE}/${version}/bin/linux/${arch}/${file}`;
}

async function build(version: string, folder: string, say: Say): Promise<string> {
  await installPackages(["golang-go:go"]);
  const inModule = ["sh", "-euc", 'cd "$0"; exec "$@"', MODULE];
  const go = (await runProgram([...inModule, "go", "env", "GOVERSION"])).trim();
  const minor = Number(/^go1\.(\d+)/.exec(go)?.[1]);
  if (minor < LEAST_GO_MINOR) {
    throw new Error(
      `Kubernetes ${version} needs Go 1.${LEAST_GO_MINOR} to be built, and this machine has ${go}; ` +
        `install a newer Go, or lay the programs of ${SITE} into "${folder}" with a file "origin"`,
    );
  }
  say(
    `Building Kubernetes ${version} with ${go} into ${folder}, as ${SITE} is out of reach; ` +
      "this happens once and takes 5 to 15 minutes",
  );
  const packages = PROGRAMS.map((name) => `k8s.io/kubernetes/cmd/${name}`);
  await runProgram([
    // Others may be at work on this machine.
    ...[...inModule, "nice", "-n", "19", "go", "build", "-mod=readonly", "-trimpath"],
    ...["-buildvcs=false", "-tags", BUILD_TAGS, "-ldflags", versionFlags(version)],
    ...["-o", `${folder}/`, ...packages],
  ], { env: { CGO_ENABLED: "0", GOFLAGS: "" } }).catch((cause) => {
    throw new Error(`Kubernetes ${version} could not be built with ${go}`, { cause });
  });
  return `Built with ${go}`;
}
