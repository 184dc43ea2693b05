/** An agent to measure: the built program in the namespace of a node, and its doings. */

import { exchangeLine } from "../../src/base/line_exchange.ts";
import type { AddRequest, AgentAnswer, AgentRequest } from "../../src/api/agent_protocol.ts";
import { AGENT_SOCKET_NAME, API_VERSION } from "../../src/api/names.ts";
import type { LanDocument } from "../../tests/support/agent_lab.ts";
import { netConf } from "../../tests/support/agent_lab.ts";
import type { LabProcess } from "../../tests/support/lab_process.ts";
import type { LabNode } from "../../tests/support/netns_lab.ts";
import { until } from "../../tests/support/until.ts";
import { EXECUTABLE } from "./bench.ts";
import { cpuMs, rssMb } from "./process_usage.ts";

const START_MS = 60_000;
const LIMITS = { deadlineMs: 60_000, maxLength: 1 << 26 };

/** What is to be attached where. */
export interface BenchAttachment {
  readonly netns: string;
  readonly ifname: string;
  /** `namespace/name`. */
  readonly lan: string;
  readonly spoke: string;
  readonly attach?: "macvtap" | "veth";
}

export class BenchAgent {
  readonly socket: string;
  readonly #node: LabNode;
  readonly #options: readonly string[];
  #process: LabProcess | undefined;

  /** `options` go to `k8slan agent`, after those that each one gets. */
  constructor(node: LabNode, options: readonly string[] = []) {
    this.#node = node;
    this.#options = options;
    this.socket = `${node.dir}/run/${AGENT_SOCKET_NAME}`;
  }

  get lansDir(): string {
    return `${this.#node.dir}/lans`;
  }

  /** Process id: nsenter and the launcher become the program itself. */
  get pid(): number {
    if (this.#process === undefined) throw new Error("The agent is not running");
    return this.#process.pid;
  }

  /** Starts the agent; resolves when it answers. Milliseconds that took. */
  async start(): Promise<number> {
    await Deno.mkdir(this.lansDir, { recursive: true });
    const started = performance.now();
    const { dir, uniqueName } = this.#node;
    this.#process = this.#node.spawn([
      ...[EXECUTABLE, "agent", "--standalone", "--lans", this.lansDir],
      ...["--node", uniqueName, "--run-dir", `${dir}/run`, "--state-dir", `${dir}/state`],
      ...this.#options,
    ]);
    const process = this.#process;
    try {
      await until("the agent answers", () => this.ask({ op: "ready" }).then(() => true), {
        timeout: START_MS,
      });
    } catch (cause) {
      throw new Error(`The agent wrote:\n${process.output}`, { cause });
    }
    return performance.now() - started;
  }

  async stop(): Promise<void> {
    this.#process?.kill();
    await this.#process?.ended;
  }

  /** Lays a file with these LANs into the folder, all at once. */
  async putLans(file: string, lans: readonly LanDocument[]): Promise<void> {
    const documents = lans.map((lan) =>
      JSON.stringify({ apiVersion: API_VERSION, kind: "LAN", ...lan })
    );
    await Deno.mkdir(this.lansDir, { recursive: true });
    await Deno.writeTextFile(`${this.lansDir}/.new`, documents.join("\n---\n"));
    await Deno.rename(`${this.lansDir}/.new`, `${this.lansDir}/${file}`);
  }

  /** The result of a request. Throws with the agent's words when it refuses. */
  async ask(request: AgentRequest): Promise<unknown> {
    const answer: AgentAnswer = JSON.parse(
      await exchangeLine(this.socket, JSON.stringify(request), LIMITS),
    );
    if (answer.ok) return answer.result;
    throw new Error(`The agent refuses "${request.op}": ${answer.error.msg}`);
  }

  /** Milliseconds from the request to the answer. */
  async time(request: AgentRequest): Promise<number> {
    const started = performance.now();
    await this.ask(request);
    return performance.now() - started;
  }

  /** Resident memory. MB (10^6 bytes). */
  rssMb(): number {
    return rssMb(this.pid);
  }

  /** Processor time so far, all threads. Milliseconds. */
  cpuMs(): number {
    return cpuMs(this.pid);
  }
}

/** Container ids are made of what is attached, so that no two are alike. */
function keyOf({ lan, spoke, ifname }: BenchAttachment) {
  return { containerId: `${lan.replace("/", ".")}.${spoke}`, ifname };
}

export function addRequest(attachment: BenchAttachment): AddRequest {
  const { netns, lan, spoke, attach = "macvtap" } = attachment;
  return { op: "add", ...keyOf(attachment), netns, config: netConf({ lan, spoke, attach }) };
}

export function delRequest(attachment: BenchAttachment) {
  return { op: "del", ...keyOf(attachment), netns: attachment.netns } as const;
}

/** LAN number `at`, with names that no other number has. */
export function numberedLan(node: LabNode, at: number, spokes = 4): LanDocument {
  const id = at.toString(36).padStart(4, "0");
  return {
    metadata: { name: `lan-${id}`, namespace: "bench" },
    spec: {
      ...{ ns: `n${id}`, bridge: "br", vxlan: "vx", vni: 10_000 + at },
      vxlanDevMap: { [node.uniqueName]: "eth1" },
      spokes: Array.from({ length: spokes }, (_, spoke) => `s${id}-${spoke}`),
    },
  };
}

/** Attachments of all its spokes to the namespace at `netns`, as `net0`, `net1`, … */
export function attachmentsOf(lan: LanDocument, netns: string): BenchAttachment[] {
  const { metadata: { name, namespace }, spec: { spokes } } = lan;
  return spokes.map((spoke, at) => ({
    ...{ netns, ifname: `net${at}`, lan: `${namespace}/${name}`, spoke },
  }));
}
