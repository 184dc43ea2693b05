/**
 * A lab of nodes with a running agent on each, and workloads to attach: what a test needs to see the
 * product work as on a real host.
 *
 *     await using lab = await createAgentLab({ nodes: 3 });
 *     await lab.putLan(seedLan(lab));
 *     const pod = await lab.addWorkload("pod1");
 *     await lab.node("worker1").attach(pod, { lan: "k8slan-system/lan-test", spoke: "pod1" });
 *     await pod.run(["ping", "-c1", "10.9.0.2"]);
 *
 * A LAN file that names nodes has to use `uniqueName`s, since agents run under those.
 */

import { dirname } from "node:path";
import type {
  AgentAnswer,
  AgentRequest,
  AttachResult,
  LanView,
  NodeView,
} from "../../src/api/agent_protocol.ts";
import {
  AGENT_SOCKET_ENV,
  AGENT_SOCKET_NAME,
  API_VERSION,
  NETNS_DIR_NAME,
} from "../../src/api/names.ts";
import type { LabProcess, RunOptions } from "./lab_process.ts";
import { createLab, type Lab, type LabNode, type LabOptions } from "./netns_lab.ts";
import { until } from "./until.ts";

export interface AgentLabOptions extends LabOptions {
  /** Least severe records the agents log; failures show them. */
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** Owner of /dev/tapN, `UID:GID`, if it is not to be the default. */
  readonly tapOwner?: string;
  /** Each node knows where the others are, as LANs with a unicast underlay need it. */
  readonly peers?: boolean;
  /** Seconds between hello frames, if it is not to be the default. */
  readonly probeInterval?: number;
  /** The command that is the product, if it is not to be the source code. */
  readonly program?: readonly string[];
  /** Stands in for the product as agent, with the same arguments. */
  readonly agentProgram?: readonly string[];
}

/** A LAN as a file says it. */
export interface LanDocument {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string };
  readonly spec: Readonly<Record<string, unknown>> & { readonly spokes: readonly string[] };
}

/** What a CNI call is about: by default interface `net1` of a workload, as container of its name. */
export interface CniTarget {
  readonly containerId?: string;
  readonly ifname?: string;
  readonly args?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What the plugin said. */
export interface CniAnswer {
  readonly code: number;
  /** Standard output, decoded; undefined if there was none. */
  readonly output: Readonly<Record<string, unknown>> | undefined;
  /** Standard error. */
  readonly notes: string;
}

/** Starts the nodes and their agents; returns when every agent answers. */
export async function createAgentLab(options: AgentLabOptions): Promise<AgentLab> {
  const lab = new AgentLab(await createLab(options), options);
  try {
    if (options.peers === true) {
      const addresses = await Promise.all(lab.nodes.map(({ host }) => host.linkLocal("eth1")));
      await Promise.all(lab.nodes.map((node) => node.putPeers(addresses)));
    }
    await Promise.all(lab.nodes.map((node) => node.start()));
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** The LAN of the seed document, with a third and a fourth spoke, carried by every node's `eth1`. */
export function seedLan(lab: AgentLab): LanDocument {
  return {
    metadata: { name: "lan-test", namespace: "k8slan-system" },
    spec: {
      ns: "knlvrf",
      bridge: "br2",
      vxlan: "vx2",
      vni: 222,
      defaultVxlanDev: "eth0.10",
      vxlanDevMap: Object.fromEntries(lab.nodes.map(({ uniqueName }) => [uniqueName, "eth1"])),
      spokes: ["pod1", "pod2", "pod3", "pod4"],
    },
  };
}

export class AgentLab implements AsyncDisposable {
  /** The namespaces below the agents. */
  readonly net: Lab;
  readonly nodes: readonly AgentNode[];

  constructor(net: Lab, options: AgentLabOptions) {
    this.net = net;
    this.nodes = net.nodes.map((node) => new AgentNode(node, options));
  }

  /** `worker1`, `worker2`, … */
  node(name: string): AgentNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`The lab has no node "${name}"`);
    return found;
  }

  /** Writes the LAN into every node's folder; returns when every agent knows it. */
  async putLan(lan: LanDocument): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.putLan(lan)));
  }

  /** Takes the LAN's file away everywhere; returns when every agent has seen that. */
  async removeLan(lan: LanDocument): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.removeLan(lan)));
  }

  /** A workload's namespace, such as a pod's. */
  async addWorkload(name: string): Promise<Workload> {
    return new Workload(this.net, name, await this.net.addNetns(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.net[Symbol.asyncDispose]();
  }
}

export class Workload {
  readonly name: string;
  /** Path of its network namespace. */
  readonly netns: string;
  readonly #net: Lab;

  constructor(net: Lab, name: string, netns: string) {
    this.name = name;
    this.netns = netns;
    this.#net = net;
  }

  /** Runs a program in there. Throws with its output unless it exits with 0. */
  run(args: readonly string[], options?: RunOptions): Promise<string> {
    return this.#net.run(this.netns, args, options);
  }

  links() {
    return this.#net.links(this.netns);
  }

  /** Ends it as a container runtime does: the path goes first. */
  remove(): Promise<void> {
    return this.#net.removeNetns(this.name);
  }
}

export class AgentNode {
  readonly host: LabNode;
  readonly name: string;
  /** The name its agent runs under. */
  readonly uniqueName: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly lansDir: string;
  readonly socket: string;
  /** Where this node's LANs have their namespaces. */
  readonly netnsDir: string;
  /** The other nodes' addresses, if agents are given any. */
  readonly peersFile: string;
  readonly #options: AgentLabOptions;
  #agent: LabProcess | undefined;

  constructor(host: LabNode, options: AgentLabOptions) {
    this.host = host;
    this.name = host.name;
    this.uniqueName = host.uniqueName;
    this.#options = options;
    this.runDir = `${host.dir}/run`;
    this.stateDir = `${host.dir}/state`;
    this.lansDir = `${host.dir}/lans`;
    this.socket = `${this.runDir}/${AGENT_SOCKET_NAME}`;
    this.peersFile = `${host.dir}/peers/list`;
    this.netnsDir = `${this.runDir}/${NETNS_DIR_NAME}`;
  }

  /** The running agent. */
  get agent(): LabProcess {
    if (this.#agent === undefined) throw new Error(`No agent runs on "${this.name}"`);
    return this.#agent;
  }

  /** Starts the agent; returns when it answers. Throws with all it wrote when it does not. */
  async start(): Promise<void> {
    if (this.#agent !== undefined) throw new Error(`An agent runs on "${this.name}" already`);
    await Deno.mkdir(this.lansDir, { recursive: true });
    const agent = this.spawnAgent();
    this.#agent = agent;
    let ended = false;
    agent.ended.then(() => ended = true);
    try {
      await until(`the agent of "${this.name}" answers`, async () => {
        if (!ended) await this.ask({ op: "ready" });
        return true;
      }, { timeout: 20_000 });
      if (ended) throw new Error("It ended at once");
    } catch (cause) {
      throw new Error(`The agent of "${this.name}" wrote:\n${agent.output}`, { cause });
    }
  }

  /** Starts one more agent with the same options; it is not `agent`, and nobody waits for it. */
  spawnAgent(): LabProcess {
    const program = this.#options.agentProgram ?? this.#program;
    return this.host.spawn([...program, ...this.#agentArguments()], { env: QUIET });
  }

  get #program(): readonly string[] {
    return this.#options.program ?? SOURCES;
  }

  #probeArguments(): string[] {
    const { probeInterval } = this.#options;
    return probeInterval === undefined ? [] : ["--probe-interval", `${probeInterval}`];
  }

  #agentArguments(): string[] {
    const { logLevel = "debug", tapOwner, peers = false } = this.#options;
    return [
      ...[
        "agent",
        ...this.#probeArguments(),
        "--standalone",
        "--lans",
        this.lansDir,
        "--node",
        this.uniqueName,
      ],
      ...["--run-dir", this.runDir, "--state-dir", this.stateDir, "--log-level", logLevel],
      ...(tapOwner === undefined ? [] : ["--tap-owner", tapOwner]),
      ...(peers ? ["--peers", this.peersFile] : []),
    ];
  }

  /** Names the other nodes, as an editor does: another file comes in the place of the one before. */
  async putPeers(addresses: readonly string[]): Promise<void> {
    await Deno.mkdir(dirname(this.peersFile), { recursive: true });
    await Deno.writeTextFile(`${this.peersFile}.new`, `${addresses.join("\n")}\n`);
    await Deno.rename(`${this.peersFile}.new`, this.peersFile);
  }

  /** Ends the agent; what is attached stays. SIGKILL: as a crash would. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const agent = this.agent;
    agent.kill(signal);
    await agent.ended;
    this.#agent = undefined;
  }

  async restart(signal?: Deno.Signal): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  async putLan(lan: LanDocument): Promise<void> {
    const document = { apiVersion: API_VERSION, kind: "LAN", ...lan };
    // Renamed into place, so that no half a file is read.
    await Deno.writeTextFile(`${this.lansDir}/.new`, JSON.stringify(document));
    await Deno.rename(`${this.lansDir}/.new`, this.#lanFile(lan));
    await until(`"${this.name}" knows LAN "${lan.metadata.name}" as its file has it`, async () => {
      const known = await this.lan(lan);
      const { spec: { vni, spokes } } = lan;
      return known?.vni === vni && JSON.stringify(known?.spokes) === JSON.stringify(spokes);
    });
  }

  async removeLan(lan: LanDocument): Promise<void> {
    await Deno.remove(this.#lanFile(lan));
    await until(`"${this.name}" has forgotten LAN "${lan.metadata.name}"`, async () => {
      const known = await this.lan(lan);
      return known === undefined || known.state === "Orphaned";
    });
  }

  #lanFile({ metadata: { name, namespace = "default" } }: LanDocument): string {
    return `${this.lansDir}/${namespace}.${name}.json`;
  }

  /** What the agent says of a LAN. */
  async lan({ metadata: { name, namespace = "default" } }: LanDocument): Promise<
    LanView | undefined
  > {
    return (await this.view()).lans.find(({ lan }) => lan === `${namespace}/${name}`);
  }

  /** The answer to a request on the agent's socket. Throws with what it says when it refuses. */
  async ask<T = unknown>(request: AgentRequest): Promise<T> {
    using connection = await Deno.connect({ transport: "unix", path: this.socket });
    const line = new TextEncoder().encode(`${JSON.stringify(request)}\n`);
    for (let at = 0; at < line.length;) at += await connection.write(line.subarray(at));
    let text = "";
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(64 * 1024);
    while (!text.endsWith("\n")) {
      const count = await connection.read(buffer);
      if (count === null) throw new Error(`The agent of "${this.name}" hung up on ${request.op}`);
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    const answer: AgentAnswer<T> = JSON.parse(text);
    if (answer.ok) return answer.result;
    throw new Error(`The agent of "${this.name}" refused: ${JSON.stringify(answer.error)}`);
  }

  view(): Promise<NodeView> {
    return this.ask({ op: "view" });
  }

  /** Attaches over the socket, without a CNI process. */
  attach(
    workload: Workload,
    config: Readonly<Record<string, unknown>>,
    target: CniTarget = {},
  ): Promise<AttachResult> {
    const { containerId = workload.name, ifname = "net1", args } = target;
    return this.ask({
      op: "add",
      ...{ containerId, ifname, netns: workload.netns, config: netConf(config) },
      ...(args === undefined ? {} : { args }),
    });
  }

  async detach(workload: Workload, target: CniTarget = {}): Promise<void> {
    const { containerId = workload.name, ifname = "net1" } = target;
    await this.ask({ op: "del", containerId, ifname, netns: workload.netns });
  }

  /** Calls the CNI plugin as a process, as a runtime on this node would. */
  async cni(
    command: string,
    workload: Workload,
    config: Readonly<Record<string, unknown>>,
    { containerId = workload.name, ifname = "net1", args, env }: CniTarget = {},
  ): Promise<CniAnswer> {
    const plugin = this.host.spawn(this.#program, {
      stdin: JSON.stringify(netConf(config)),
      env: {
        ...QUIET,
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: workload.netns,
        CNI_IFNAME: ifname,
        CNI_PATH: "/usr/lib/cni",
        [AGENT_SOCKET_ENV]: this.socket,
        ...(args === undefined ? {} : { CNI_ARGS: args }),
        ...env,
      },
    });
    const { code } = await plugin.ended;
    const output = plugin.stdout === "" ? undefined : JSON.parse(plugin.stdout);
    return { code, output, notes: plugin.stderr };
  }
}

/** A configuration of the newest version, of network `lan`, with whatever else. */
export function netConf(more: Readonly<Record<string, unknown>>) {
  return { cniVersion: "1.1.0", name: "lan", type: "k8slan", ...more };
}

const ROOT = new URL("../..", import.meta.url).pathname;

/** The command that runs a module of the repository. */
export function denoRun(module: string): string[] {
  return [
    ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check", "--quiet"],
    ...["--config", `${ROOT}deno.json`, `${ROOT}${module}`],
  ];
}

/** Deno would look for news of itself, through the very network that a test listens to. */
const QUIET = { DENO_NO_UPDATE_CHECK: "1" };

/** Runs the product from its source code. */
const SOURCES = denoRun("main.ts");
