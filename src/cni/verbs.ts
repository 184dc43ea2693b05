/** ADD, DEL, CHECK, STATUS and GC: what is asked of the agent and of an IPAM plugin, in which order. */

import { type AttachmentKey, CniCode, type DelRequest } from "../api/agent_protocol.ts";
import { DELETE_QUEUE_DIR_NAME } from "../api/names.ts";
import { enqueueDelete, forgetDelete } from "../base/delete_queue.ts";
import { describe } from "../base/errors.ts";
import { AgentAway, askAgent } from "./agent_client.ts";
import { CniError } from "./cni_error.ts";
import { ipamType, networkName, prevResult, type SpecVersion } from "./config.ts";
import type { AttachEnv, CniEnv, DetachEnv, NetworkEnv } from "./env.ts";
import type { CniHost } from "./host.ts";
import type { IpamPlugin } from "./ipam.ts";
import { field, isObject, type JsonObject } from "./json.ts";
import { cniResult, decodeDns, type IpamResult } from "./result.ts";

/** One call: the process, its environment and its configuration, `stdin` being the bytes as given. */
export interface Call<Env extends CniEnv> {
  readonly host: CniHost;
  readonly env: Env;
  readonly config: JsonObject;
  readonly version: SpecVersion;
  readonly stdin: Uint8Array;
}

/** Makes the interface; whatever fails, nothing of it is left. Returns the result for stdout. */
export async function add(call: Call<AttachEnv>): Promise<JsonObject> {
  const { host, env, config, version } = call;
  const { containerId, ifname, netns, args } = env;
  networkName(config);
  const dns = decodeDns(field(config, "dns"));
  const previous = prevResult(config);
  const ipam = await ipamPlugin(call);
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const detachNow = () => detach(host, env, host.undoMs);
    const attached = await askAgent(
      env.socket,
      { op: "add", containerId, ifname, netns, ...(args === undefined ? {} : { args }), config },
      host.answerMs,
    ).catch((error) => {
      // A refusal leaves nothing behind; a lost answer may.
      if (error instanceof AgentAway && error.sent) undo.push(detachNow);
      throw error;
    });
    undo.push(detachNow);
    const { mac, mtu } = decodeAttached(attached);
    let addresses: IpamResult | undefined;
    if (ipam !== undefined) {
      undo.push(() => ipam.run("DEL"));
      addresses = await giveAddresses(call, ipam);
    }
    forget(host, env);
    return cniResult({
      version,
      ifname,
      netns,
      mac,
      mtu,
      ...(addresses === undefined ? {} : { ipam: addresses }),
      ...(dns === undefined ? {} : { dns }),
      ...(previous === undefined ? {} : { previous }),
    });
  } catch (error) {
    for (const step of undo.reverse()) {
      await step().catch((cause) => host.note(`undoing ADD: ${describe(cause)}`));
    }
    throw error;
  }
}

async function giveAddresses(
  { host, env }: Call<AttachEnv>,
  ipam: IpamPlugin,
): Promise<IpamResult> {
  const { containerId, ifname, netns } = env;
  const output = await ipam.run("ADD");
  const { decodeIpamResult, routesToSet } = await import("./ipam_result.ts");
  const result = decodeIpamResult(output);
  const routes = routesToSet(result);
  await askAgent(
    env.socket,
    { op: "configure", containerId, ifname, netns, ips: result.ips, routes },
    host.answerMs,
  );
  return result;
}

/**
 * Removes the interface. Never fails: what can't be done now is said on stderr, and the agent finds
 * it in the delete queue (CNI spec: DEL is best effort; a runtime repeats a failed one for ever).
 */
export async function del(
  host: CniHost,
  env: DetachEnv,
  config: JsonObject | undefined,
  stdin: Uint8Array,
): Promise<void> {
  try {
    const ipam = config === undefined ? undefined : await ipamPlugin({ host, env, config, stdin });
    await ipam?.run("DEL");
  } catch (error) {
    host.note(`addresses of "${env.containerId}" may not be released: ${describe(error)}`);
  }
  await detach(host, env, host.answerMs);
}

/** The agent's `del`, now or when it is back. */
async function detach(
  host: CniHost,
  env: AttachEnv | DetachEnv,
  deadlineMs: number,
): Promise<void> {
  const { containerId, ifname, netns } = env;
  const request: DelRequest = {
    op: "del",
    containerId,
    ifname,
    ...(netns === undefined ? {} : { netns }),
  };
  try {
    await askAgent(env.socket, request, deadlineMs);
    forget(host, env);
  } catch (error) {
    const what = `"${ifname}" of "${containerId}" is not detached yet: ${describe(error)}`;
    try {
      enqueueDelete(queueDir(env), request);
      host.note(`${what}; it is queued for the agent`);
    } catch (cause) {
      host.note(`${what}; and that could not be written down: ${describe(cause)}`);
    }
  }
}

/** Is the interface as ADD made it? The agent compares it with `prevResult`. */
export async function check(call: Call<AttachEnv>): Promise<undefined> {
  const { host, env, config } = call;
  const { containerId, ifname, netns, args } = env;
  networkName(config);
  if (prevResult(config) === undefined) {
    throw new CniError(CniCode.InvalidConfig, "prevResult is missing, which CHECK needs");
  }
  await (await ipamPlugin(call))?.run("CHECK");
  await askAgent(
    env.socket,
    { op: "check", containerId, ifname, netns, ...(args === undefined ? {} : { args }), config },
    host.answerMs,
  );
}

/** Could an ADD be served now? An agent that is away is code 50. */
export async function status(call: Call<NetworkEnv>): Promise<undefined> {
  networkName(call.config);
  try {
    await askAgent(call.env.socket, { op: "ready" }, call.host.answerMs);
  } catch (error) {
    if (error instanceof AgentAway) throw new CniError(CniCode.NotAvailable, error.message);
    throw error;
  }
  await (await ipamPlugin(call))?.run("STATUS");
}

/** Removes what is not listed any more. Goes on after an error and reports all of them. */
export async function gc(call: Call<NetworkEnv>): Promise<undefined> {
  const { host, env, config } = call;
  const network = networkName(config);
  const valid = validAttachments(config);
  const failures: CniError[] = [];
  const attempt = async (step: () => Promise<unknown>) => {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      failures.push(error);
    }
  };
  await attempt(async () => await (await ipamPlugin(call))?.run("GC"));
  await attempt(() => askAgent(env.socket, { op: "gc", network, valid }, host.answerMs));
  const [first, second] = failures;
  if (first === undefined) return;
  if (second === undefined) throw first;
  throw new CniError(first.code, first.message, { details: `Also: ${second.message}` });
}

/** The list of GC. Without it nothing could be told from a stale attachment, so it must be there. */
function validAttachments(config: JsonObject): AttachmentKey[] {
  // The second name was in the specification by mistake, and runtimes send both.
  const key = ["cni.dev/valid-attachments", "cni.dev/attachments"]
    .find((name) => field(config, name) !== undefined) ?? "cni.dev/valid-attachments";
  const list = field(config, key);
  if (!Array.isArray(list)) {
    throw new CniError(
      CniCode.InvalidConfig,
      `${key} is ${list === undefined ? "missing" : "not a list"}, which GC needs`,
    );
  }
  return list.map((entry) => {
    const containerId = isObject(entry) ? field(entry, "containerID") : undefined;
    const ifname = isObject(entry) ? field(entry, "ifname") : undefined;
    if (typeof containerId === "string" && typeof ifname === "string") {
      return { containerId, ifname };
    }
    throw new CniError(
      CniCode.InvalidConfig,
      `${key} has an entry without the strings containerID and ifname`,
    );
  });
}

/** The configured IPAM plugin; without one, this process never starts a program. */
async function ipamPlugin(
  call: Pick<Call<CniEnv>, "host" | "env" | "config" | "stdin">,
): Promise<IpamPlugin | undefined> {
  const type = ipamType(call.config);
  if (type === undefined) {
    call.host.giveUpRun();
    return undefined;
  }
  const { findIpamPlugin } = await import("./ipam.ts");
  return findIpamPlugin(type, call.env, call.stdin);
}

function decodeAttached(value: unknown): { mac: string; mtu: number } {
  const mac = isObject(value) ? field(value, "mac") : undefined;
  const mtu = isObject(value) ? field(value, "mtu") : undefined;
  if (typeof mac === "string" && typeof mtu === "number") return { mac, mtu };
  throw new CniError(
    CniCode.Internal,
    "k8slan agent did not say which interface it made: install the same version of agent and plugin",
  );
}

function forget(host: CniHost, env: AttachEnv | DetachEnv): void {
  try {
    forgetDelete(queueDir(env), env);
  } catch (error) {
    host.note(`an older delete of "${env.containerId}" stays queued: ${describe(error)}`);
  }
}

function queueDir(env: CniEnv): string {
  return `${env.socket.slice(0, env.socket.lastIndexOf("/"))}/${DELETE_QUEUE_DIR_NAME}`;
}
