/** Delegation to an IPAM plugin (CNI spec 1.1.0, section 4). Loaded only where `ipam` is configured. */

import { CniCode } from "../api/agent_protocol.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { describe } from "../base/errors.ts";
import { CniError } from "./cni_error.ts";
import { type CniEnv, DELEGATED_ENV } from "./env.ts";
import { field, isObject, parseJson } from "./json.ts";

/**
 * How long an IPAM plugin may take: the DHCP plugin's default is to try for 62 s, and a kubelet
 * waits four minutes for the whole sandbox. Milliseconds.
 */
const IPAM_DEADLINE_MS = 70_000;

export interface IpamPlugin {
  /** Runs one verb and returns what the plugin printed. Throws the plugin's own error as `CniError`. */
  run(command: "ADD" | "DEL" | "CHECK" | "STATUS" | "GC"): Promise<string>;
}

/** Finds plugin `type` in CNI_PATH. Throws `CniError` 4 or 7 that says where it was looked for. */
export function findIpamPlugin(
  type: string,
  env: CniEnv,
  config: Uint8Array,
  deadlineMs = IPAM_DEADLINE_MS,
): IpamPlugin {
  if (env.path === undefined) {
    throw new CniError(
      CniCode.InvalidEnvironment,
      `Environment variable CNI_PATH is missing: it has to name the directory of IPAM plugin "${type}"`,
    );
  }
  const file = env.path.split(":").filter((dir) => dir.startsWith("/"))
    .map((dir) => `${dir}/${type}`).find(isFile);
  if (file === undefined) {
    throw new CniError(
      CniCode.InvalidConfig,
      `IPAM plugin "${type}" is not in CNI_PATH "${env.path}": install it there or correct ipam.type`,
    );
  }
  return { run: (command) => runPlugin(type, file, variables(env, command), config, deadlineMs) };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Only what differs or has been checked; the rest of the environment is inherited. */
function variables(env: CniEnv, command: string): Record<string, string> {
  const result: Record<string, string> = { CNI_COMMAND: command, [DELEGATED_ENV]: "1" };
  if (env.path !== undefined) result["CNI_PATH"] = env.path;
  if ("containerId" in env) {
    result["CNI_CONTAINERID"] = env.containerId;
    result["CNI_IFNAME"] = env.ifname;
    if (env.netns !== undefined) result["CNI_NETNS"] = env.netns;
    if (env.args !== undefined) result["CNI_ARGS"] = env.args;
  }
  return result;
}

async function runPlugin(
  type: string,
  file: string,
  env: Record<string, string>,
  stdin: Uint8Array,
  deadlineMs: number,
): Promise<string> {
  const options = { env, stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(file, options).spawn();
  } catch (error) {
    throw new CniError(
      CniCode.Internal,
      `IPAM plugin "${file}" could not be started: ${describe(error)}`,
    );
  }
  const output = child.stdout.getReader();
  // Not setTimeout: see agent_client.ts.
  const deadline = AbortSignal.timeout(deadlineMs);
  const giveUp = () => {
    kill(child);
    // Its own children may still hold the other end.
    output.cancel().catch(() => {});
  };
  deadline.addEventListener("abort", giveUp);
  try {
    const [text, status] = await Promise.all([
      readLimited(output),
      child.status,
      feed(child.stdin, stdin),
    ]);
    if (deadline.aborted) {
      throw new CniError(
        CniCode.TryAgainLater,
        `IPAM plugin "${type}" did not end within ${deadlineMs / 1000} s`,
      );
    }
    if (status.success) return text;
    throw pluginError(type, status.code, text);
  } finally {
    deadline.removeEventListener("abort", giveUp);
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // ended this moment
  }
}

/** A plugin that ends without reading its configuration is judged by its exit code alone. */
async function feed(stream: WritableStream<Uint8Array>, bytes: Uint8Array): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // EPIPE
  }
}

/** More than the limit is read but not kept: the plugin ends by itself and the JSON is refused. */
async function readLimited(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return text.length > MAX_MESSAGE_BYTES ? "" : text;
    if (text.length <= MAX_MESSAGE_BYTES) text += decoder.decode(value, { stream: true });
  }
}

function pluginError(type: string, exitCode: number, output: string): CniError {
  const from = `from IPAM plugin "${type}"`;
  try {
    const answer = parseJson(output);
    if (isObject(answer)) {
      const code = field(answer, "code");
      const msg = field(answer, "msg");
      const details = field(answer, "details");
      if (typeof code === "number" && Number.isInteger(code) && typeof msg === "string") {
        return new CniError(code, msg, {
          details: typeof details === "string" ? `${details} (${from})` : from,
        });
      }
    }
  } catch {
    // not JSON
  }
  return new CniError(
    CniCode.Internal,
    `IPAM plugin "${type}" ended with exit code ${exitCode} and without a CNI error`,
  );
}
