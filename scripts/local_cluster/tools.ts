/** The programs a cluster is made of: found on this machine, or obtained and kept. */

import { runProgram } from "../../tests/support/lab_process.ts";
import { debianFiles } from "./debian_files.ts";
import { kubernetesBinaries } from "./kubernetes_binaries.ts";

export interface Programs {
  /** Folder of kube-apiserver, kubelet, kubectl and the like. */
  readonly kubernetes: string;
  /** Folders of etcd, containerd, ctr and runc; empty when the machine's own are taken. */
  readonly folders: readonly string[];
}

export interface Tools extends Programs {
  /** Folder of the plain CNI plugins. */
  readonly cniPlugins: string;
  readonly busybox: string;
}

/** Says a line about what is done. */
export type Say = (line: string) => void;

const PACKAGES = [
  "iproute2:ip",
  "util-linux:nsenter",
  "nftables:nft", // for kube-proxy
  "openssl:openssl",
  "busybox-static:busybox",
];

/** The functions of the project's scripts that install packages, to be sourced by a shell. */
export const PACKAGES_LIBRARY = new URL("../lib/packages.sh", import.meta.url).pathname;

/** Each distribution has a place of its own for the CNI plugins. */
const CNI_PLUGIN_FOLDERS = ["/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin"];

/** Everything, obtained where it is missing. Throws with what to do when something can't be had. */
export async function obtainTools(say: Say): Promise<Tools> {
  await installPackages(PACKAGES);
  return {
    ...await obtainPrograms(say),
    cniPlugins: await findCniPlugins(),
    busybox: await findBusybox(),
  };
}

/** What takes long the first time: minutes, where Kubernetes has to be built. Throws as `obtainTools`. */
export async function obtainPrograms(say: Say): Promise<Programs> {
  return {
    kubernetes: await kubernetesBinaries(toolsFolder(), say),
    folders: await debianFiles(toolsFolder(), say),
  };
}

/** Where obtained programs are kept between clusters; as in scripts/lib/deno.sh. */
export function toolsFolder(): string {
  const env = Deno.env.toObject();
  if (env["K8SLAN_TOOLS"]) return env["K8SLAN_TOOLS"];
  const cache = env["XDG_CACHE_HOME"] || `${env["HOME"] || "/var/cache"}/.cache`;
  return `${cache}/k8slan`;
}

/** Installs Debian packages, each given as PACKAGE:COMMAND, whose commands are missing. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  await runProgram(["sh", "-c", '. "$0"; need "$@"', PACKAGES_LIBRARY, ...packages]);
}

async function findCniPlugins(): Promise<string> {
  for (const folder of CNI_PLUGIN_FOLDERS) {
    if (await isFile(`${folder}/host-local`)) return folder;
  }
  await installPackages(["containernetworking-plugins:/usr/lib/cni/host-local"]);
  return "/usr/lib/cni";
}

/** Images hold it alone, without any library. */
async function findBusybox(): Promise<string> {
  const path = (await runProgram(["sh", "-c", "command -v busybox"])).trim();
  const outcome = await runProgram(["sh", "-c", 'ldd "$0" 2>&1 || true', path]);
  if (outcome.includes("=>")) {
    throw new Error(`"${path}" needs libraries; install the package busybox-static in its place`);
  }
  return await Deno.realPath(path);
}

/** Whether there is a file, after following links. */
export async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}
