/** The demo's dealings with the product, all of them through the one executable. */

import type { Shell } from "./demo_shell.ts";
import { IFNAME, inNetns, netnsPath, RUN_DIR, type Worker, type Workload } from "./demo_world.ts";

export const EXECUTABLE = new URL("../dist/k8slan", import.meta.url).pathname;
export const LANS_DIR = `${RUN_DIR}/lans`;

/** Where an agent has its socket and the namespaces of its LANs. */
export function runDir(worker: string): string {
  return `${RUN_DIR}/${worker}/run`;
}

export function socketPath(worker: string): string {
  return `${runDir(worker)}/agent.sock`;
}

export function logPath(worker: string): string {
  return `${RUN_DIR}/${worker}/agent.log`;
}

/** The command that runs a worker's agent, word by word. */
export function agentCommand({ name }: Worker): string[] {
  return inNetns(
    netnsPath(name),
    EXECUTABLE,
    ...["agent", "--standalone", "--lans", LANS_DIR, "--node", name],
    ...["--run-dir", runDir(name), "--state-dir", `${RUN_DIR}/${name}/state`],
  );
}

/** Starts an agent that goes on when the demo has ended. */
export async function startAgent(shell: Shell, worker: Worker): Promise<void> {
  await Deno.mkdir(`${RUN_DIR}/${worker.name}`, { recursive: true });
  const log = logPath(worker.name);
  const child = new Deno.Command("sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", log, ...agentCommand(worker)],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  let ended = false;
  const config = { cniVersion: "1.1.0", ...LAN };
  child.status.then(() => ended = true);
  await shell.until(`the agent of ${worker.name} is ready`, async () => {
    const { code } = await callCni(shell, worker.name, cniEnv(worker.name, "STATUS"), config);
    return code === 0 || ended;
  });
  if (ended) {
    throw new Error(`The agent of ${worker.name} has ended:\n${await Deno.readTextFile(log)}`);
  }
}

export function statusCommand(worker: string): string[] {
  return [EXECUTABLE, "status", "--socket", socketPath(worker)];
}

/** What `k8slan status` says of a worker, be it good or bad. */
export async function status(shell: Shell, worker: string): Promise<string> {
  const { stdout, stderr } = await shell.try(statusCommand(worker));
  if (stdout === "") throw new Error(stderr);
  return stdout;
}

/** The network configuration of a workload; in a cluster a NetworkAttachmentDefinition has it. */
export function netConf({ spoke, address }: Workload): Readonly<Record<string, unknown>> {
  return {
    // The newest version that Debian's IPAM plugin speaks.
    cniVersion: "1.0.0",
    ...LAN,
    ...(spoke === undefined ? {} : { spoke }),
    ipam: { type: "static", addresses: [{ address: `${address}/24` }] },
  };
}

const LAN = { name: "lan-test", type: "k8slan", lan: "k8slan-system/lan-test" };

/** The environment with which a container runtime calls a CNI plugin. */
export function cniEnv(
  worker: string,
  command: string,
  workload?: Workload,
): Readonly<Record<string, string>> {
  return {
    CNI_COMMAND: command,
    ...(workload === undefined ? {} : {
      CNI_CONTAINERID: `demo-${workload.name}`,
      CNI_NETNS: netnsPath(workload.name),
      CNI_IFNAME: IFNAME,
    }),
    CNI_PATH: Deno.env.get("CNI_PATH") ?? "/opt/cni/bin",
    K8SLAN_AGENT_SOCKET: socketPath(worker),
  };
}

/** Attaches a workload or detaches it, just as a container runtime does. */
export async function attachOrDetach(
  shell: Shell,
  command: "ADD" | "DEL",
  workload: Workload,
): Promise<void> {
  const { worker, name } = workload;
  const env = cniEnv(worker, command, workload);
  const { code, stdout, stderr } = await callCni(shell, worker, env, netConf(workload));
  if (code !== 0) {
    throw new Error(`CNI ${command} of ${name} on ${worker} failed: ${stdout}${stderr}`);
  }
}

function callCni(
  shell: Shell,
  worker: string,
  env: Readonly<Record<string, string>>,
  config: Readonly<Record<string, unknown>>,
) {
  return shell.try(inNetns(netnsPath(worker), EXECUTABLE), {
    stdin: JSON.stringify(config),
    env: { PATH: Deno.env.get("PATH") ?? "", ...env },
  });
}
