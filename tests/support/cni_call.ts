/** One call of the CNI plugin, in this process or as a process of its own. */

import { runCni } from "../../src/cni/main.ts";

export interface CniCall {
  readonly command: string;
  readonly socket: string;
  /** Standard input: a configuration, or raw text or bytes. */
  readonly config?: unknown;
  /** Changes to the usual environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directories with IPAM plugins. */
  readonly path?: string;
}

export interface CniOutcome {
  readonly code: number;
  /** Standard output, decoded; undefined if there was none. */
  readonly output: Readonly<Record<string, unknown>> | undefined;
  /** Standard error. */
  readonly notes: string;
}

export const NETNS = "/run/netns/blue";

/** A configuration of `version` with whatever else. */
export function netConf(version: string, more: Readonly<Record<string, unknown>> = {}) {
  return { cniVersion: version, name: "lan1", type: "k8slan", lan: "lan1", ...more };
}

function environment(call: CniCall): Record<string, string> {
  const all: Record<string, string | undefined> = {
    CNI_COMMAND: call.command,
    CNI_CONTAINERID: "c1",
    CNI_NETNS: NETNS,
    CNI_IFNAME: "net1",
    CNI_PATH: call.path,
    K8SLAN_AGENT_SOCKET: call.socket,
    ...call.env,
  };
  const set = Object.entries(all).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  return Object.fromEntries(set);
}

function stdinBytes(config: unknown): Uint8Array<ArrayBuffer> {
  if (config instanceof Uint8Array) return new Uint8Array(config);
  return new TextEncoder().encode(typeof config === "string" ? config : JSON.stringify(config));
}

/** Decodes stdout; fails if it is not nothing or one JSON object on one line. */
function outcome(code: number, stdout: string, notes: string): CniOutcome {
  if (stdout === "") return { code, output: undefined, notes };
  if (!/^\{.*\}\n$/.test(stdout)) throw new Error(`unexpected stdout: ${stdout.slice(0, 200)}`);
  return { code, output: JSON.parse(stdout), notes };
}

/** The role in this process; the agent has 1 s to answer. */
export async function callCni(call: CniCall): Promise<CniOutcome> {
  const env = environment(call);
  const stdin = stdinBytes(call.config ?? "");
  let stdout = "";
  const notes: string[] = [];
  const code = await runCni({
    env: (name) => env[name],
    readStdin: (limit) => stdin.length > limit ? undefined : stdin,
    answer: (text) => void (stdout += text),
    note: (line) => void notes.push(line),
    giveUpRun: () => {},
    answerMs: 1_000,
    undoMs: 1_000,
  });
  return outcome(code, stdout, notes.join("\n"));
}

/** The role as a process; `config` as in `callCni`, or a stream of any length. */
export async function spawnCni(call: CniCall): Promise<CniOutcome> {
  const entry = new URL("./cni_entry.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", entry],
    env: environment(call),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const feed = call.config instanceof ReadableStream
    ? call.config.pipeTo(child.stdin)
    : new Blob([stdinBytes(call.config ?? "")]).stream().pipeTo(child.stdin);
  const [{ code, stdout, stderr }] = await Promise.all([
    child.output(),
    feed.catch(() => {}), // the role may stop reading
  ]);
  const decoder = new TextDecoder();
  return outcome(code, decoder.decode(stdout), decoder.decode(stderr));
}
