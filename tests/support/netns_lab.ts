/**
 * A little network of "nodes" on this machine, for tests that run as root.
 *
 * A node is a network namespace with a link `eth1` into a bridge that joins all nodes; the bridge is
 * in a namespace of its own, so that the machine's own network sees nothing of it. Everything lives
 * in one temporary directory and goes with it.
 *
 * The product works on the network namespace of its process. So whatever is to see a node as "the
 * host" runs as a program in there (`LabNode.run`, `LabNode.spawn`); the test looks at it from
 * outside, with `ip` as a witness that shares no code with us.
 */

import { LabProcess, type RunOptions, runProgram } from "./lab_process.ts";
import { until } from "./until.ts";

export interface LabOptions {
  /** How many nodes: `worker1`, `worker2`, … */
  readonly nodes: number;
  /** MTU of `eth1` and of all between the nodes. Bytes. */
  readonly mtu?: number;
}

/** Makes the namespaces; returns when every node's `eth1` has a usable link-local IPv6 address. */
export async function createLab({ nodes, mtu = 1500 }: LabOptions): Promise<Lab> {
  await removeAbandoned();
  const dir = await Deno.makeTempDir({ prefix: `${DIR_PREFIX}${Deno.pid}.` });
  const names = Array.from({ length: nodes }, (_, at) => `worker${at + 1}`);
  const lab = new Lab(dir, names);
  try {
    await runProgram(["sh", "-euc", buildScript(dir, names, mtu)]);
    await Promise.all(names.map((name) => lab.node(name).linkLocal("eth1")));
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** A test that needs root; elsewhere it is left out, and the reason is printed. */
export function rootTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  // deno-lint-ignore no-console -- a test left out must say why
  if (ignore) console.log(`"${name}" is left out: it makes network namespaces, which needs root`);
  Deno.test({ name, ignore, fn });
}

export class Lab implements AsyncDisposable {
  readonly dir: string;
  readonly nodes: readonly LabNode[];

  constructor(dir: string, names: readonly string[]) {
    this.dir = dir;
    const tag = dir.slice(dir.lastIndexOf(".") + 1);
    this.nodes = names.map((name) => new LabNode(this, name, `${name}.${tag.toLowerCase()}`));
  }

  /** `worker1`, `worker2`, … */
  node(name: string): LabNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`The lab has no node "${name}"`);
    return found;
  }

  /** Makes an empty network namespace, such as a pod's, and returns its path. */
  async addNetns(name: string): Promise<string> {
    const path = this.netnsPath(name);
    await runProgram(["sh", "-euc", netnsScript(path)]);
    return path;
  }

  /** Removes a namespace that `addNetns` made, as a container runtime does: the path goes first. */
  async removeNetns(name: string): Promise<void> {
    const path = this.netnsPath(name);
    await runProgram(["sh", "-euc", `umount -l '${path}'; rm '${path}'`]);
  }

  netnsPath(name: string): string {
    return `${this.dir}/${name}`;
  }

  /** Runs a program in the namespace at `netns`. Throws with its output unless it exits with 0. */
  run(netns: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    return runProgram([...inNetns(netns), ...args], options);
  }

  /** The links of a namespace as `ip -d -j link` describes them. */
  async links(netns: string): Promise<IpLink[]> {
    return JSON.parse(await this.run(netns, ["ip", "-d", "-j", "link"]));
  }

  readonly #processes: LabProcess[] = [];

  /** Starts a program in the namespace at `netns`; it ends with the lab at the latest. */
  spawn(netns: string, args: readonly string[], options: RunOptions = {}): LabProcess {
    const process = new LabProcess([...inNetns(netns), ...args], options);
    this.#processes.push(process);
    return process;
  }

  /** Starts a program that does nothing but keep the namespace at `netns`; it is in there by then. */
  async hold(netns: string): Promise<LabProcess> {
    const holder = this.spawn(netns, ["sh", "-c", "echo there; exec sleep 1000"]);
    await holder.waitFor(/there/);
    return holder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcesses(this.dir);
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
    // What was killed may have been making namespaces until just now.
    await until(`"${this.dir}" is removed`, () => removeTree(this.dir));
  }
}

export class LabNode {
  /** `worker1`, … */
  readonly name: string;
  /**
   * A name that no other lab has: `/dev/tapN` is shared by the whole machine and N follows from the
   * node's name, so programs that make macvtaps are to be given this one.
   */
  readonly uniqueName: string;
  /** Path of its network namespace. */
  readonly netns: string;
  /** A directory of its own for run files, sockets and the namespaces of LANs. */
  readonly dir: string;
  readonly #lab: Lab;

  constructor(lab: Lab, name: string, uniqueName: string) {
    this.#lab = lab;
    this.name = name;
    this.uniqueName = uniqueName;
    this.netns = lab.netnsPath(name);
    this.dir = `${lab.dir}/${name}.d`;
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.#lab.run(this.netns, args, options);
  }

  spawn(args: readonly string[], options: RunOptions = {}): LabProcess {
    return this.#lab.spawn(this.netns, args, options);
  }

  links(): Promise<IpLink[]> {
    return this.#lab.links(this.netns);
  }

  /** The link-local IPv6 address of a device, as soon as it can be used. */
  linkLocal(device: string): Promise<string> {
    const list = ["ip", "-6", "-j", "addr", "show", "dev", device, "scope", "link", "-tentative"];
    return until(`"${device}" of node "${this.name}" has a link-local address`, async () => {
      const [link] = JSON.parse(await this.run(list));
      return link?.addr_info?.[0]?.local as string | undefined;
    });
  }
}

/** What tests read of `ip -d -j link`; the rest is there too. */
export interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly ifalias?: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
    readonly info_slave_kind?: string;
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
  readonly [key: string]: unknown;
}

const DIR_PREFIX = "k8slan-lab.";

function inNetns(path: string): string[] {
  return ["nsenter", `--net=${path}`, "--"];
}

function netnsScript(path: string): string {
  return `touch '${path}'; unshare --net='${path}' ip link set lo up`;
}

function buildScript(dir: string, nodes: readonly string[], mtu: number): string {
  const fabric = `${dir}/fabric`;
  return [
    netnsScript(fabric),
    // Snooping without a querier would drop the multicast that VXLANs live on.
    `nsenter --net='${fabric}' ip link add fabric mtu ${mtu} up type bridge mcast_snooping 0`,
    ...nodes.flatMap((name) => [
      netnsScript(`${dir}/${name}`),
      `mkdir '${dir}/${name}.d'`,
      // Duplicate address detection would take two seconds, and there are no duplicates.
      `nsenter --net='${dir}/${name}' sysctl -qw net.ipv6.conf.default.accept_dad=0`,
      `nsenter --net='${dir}/${name}' ip link add eth1 mtu ${mtu} type veth` +
      ` peer name '${name}' mtu ${mtu} netns '${fabric}'`,
      `nsenter --net='${fabric}' ip link set dev '${name}' master fabric up`,
      `nsenter --net='${dir}/${name}' ip link set dev eth1 up`,
    ]),
  ].join("\n");
}

/** Unmounts everything in `dir`, then removes it. */
async function removeTree(dir: string): Promise<true> {
  const mounts = await mountsIn(dir);
  if (mounts.length > 0) await runProgram(["umount", "-l", ...mounts.reverse()]);
  await Deno.remove(dir, { recursive: true });
  return true;
}

async function mountsIn(dir: string): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${dir}/`));
}

/** Ends all that runs in a namespace of the lab: what was started, and what that has started. */
async function killProcesses(dir: string): Promise<void> {
  const namespaces = new Set((await mountsIn(dir)).flatMap((path) => inode(path) ?? []));
  // A test may have bound the machine's own namespace somewhere.
  namespaces.delete(inode("/proc/self/ns/net") ?? 0);
  for await (const { name } of Deno.readDir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === Deno.pid) continue;
    const netns = inode(`/proc/${name}/ns/net`);
    if (netns !== undefined && namespaces.has(netns)) kill(pid);
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

/** Undefined when it is gone, or nothing that may be looked at. */
function inode(path: string): number | undefined {
  try {
    return Deno.statSync(path).ino ?? undefined;
  } catch {
    return undefined;
  }
}

/** What a test run that was killed left behind. */
async function removeAbandoned(): Promise<void> {
  const parent = Deno.env.get("TMPDIR") ?? "/tmp";
  for await (const { name } of Deno.readDir(parent)) {
    if (!name.startsWith(DIR_PREFIX) || isRunning(name.slice(DIR_PREFIX.length))) continue;
    const dir = `${parent}/${name}`;
    // Another test run may be at the same.
    await killProcesses(dir).then(() => removeTree(dir)).catch(() => {});
  }
}

function isRunning(rest: string): boolean {
  try {
    Deno.statSync(`/proc/${parseInt(rest)}`);
    return true;
  } catch {
    return false;
  }
}
