/** The CNI plugin: a messenger between a container runtime and the agent of the node. */

import { CniCode } from "../api/agent_protocol.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { describe } from "../base/errors.ts";
import { CniError, toFailure } from "./cni_error.ts";
import {
  checkVerb,
  decodeObject,
  LATEST_VERSION,
  specVersion,
  SUPPORTED_VERSIONS,
} from "./config.ts";
import { type DetachEnv, readEnv } from "./env.ts";
import { type CniHost, processHost } from "./host.ts";
import { field, type JsonObject } from "./json.ts";
import { add, check, del, gc, status } from "./verbs.ts";

/** Serves the call in this process's environment and returns its exit code. */
export async function cniMain(): Promise<number> {
  // A messenger has no use for native code, whatever the program was started with.
  Deno.permissions.revokeSync({ name: "ffi" });
  return await runCni(processHost);
}

/** Serves one call: 0 and perhaps a result on stdout, or 1 and a CNI error on stdout. */
export async function runCni(host: CniHost): Promise<number> {
  const seen: Seen = { version: LATEST_VERSION };
  let output: JsonObject | undefined;
  let exitCode = 0;
  try {
    output = await serve(host, seen);
  } catch (error) {
    output = { cniVersion: seen.version, ...toFailure(error) };
    exitCode = 1;
  }
  if (output === undefined) return exitCode;
  try {
    host.answer(JSON.stringify(output) + "\n");
    return exitCode;
  } catch (error) {
    // The runtime is gone; it, or its successor, has to send DEL.
    host.note(`the answer could not be written to stdout: ${describe(error)}`);
    return 1;
  }
}

/** How far a call has been understood, for the error it may end with. */
interface Seen {
  version: string;
}

async function serve(host: CniHost, seen: Seen): Promise<JsonObject | undefined> {
  const env = readEnv((name) => host.env(name));
  if (env.command === "VERSION") return supportedVersions(host);
  if (env.command === "DEL") return await bestEffortDel(host, env);
  const stdin = readConfig(host);
  const config = decodeObject(stdin);
  const version = specVersion(config);
  seen.version = version;
  checkVerb(version, env.command);
  const call = { host, config, version, stdin };
  switch (env.command) {
    case "ADD":
      return await add({ ...call, env });
    case "CHECK":
      return await check({ ...call, env });
    case "STATUS":
      return await status({ ...call, env });
    case "GC":
      return await gc({ ...call, env });
  }
}

function readConfig(host: CniHost): Uint8Array {
  let stdin: Uint8Array | undefined;
  try {
    stdin = host.readStdin(MAX_MESSAGE_BYTES);
  } catch (error) {
    throw new CniError(
      CniCode.Io,
      `Network configuration on stdin can't be read: ${describe(error)}`,
    );
  }
  if (stdin !== undefined) return stdin;
  throw new CniError(
    CniCode.Io,
    `Network configuration on stdin is larger than ${MAX_MESSAGE_BYTES} bytes`,
  );
}

/** The container and interface come by environment, so DEL works without its configuration too. */
async function bestEffortDel(host: CniHost, env: DetachEnv): Promise<undefined> {
  let stdin: Uint8Array = new Uint8Array();
  let config: JsonObject | undefined;
  try {
    stdin = readConfig(host);
    config = decodeObject(stdin);
    specVersion(config);
  } catch (error) {
    host.note(`DEL goes on in spite of its configuration: ${describe(error)}`);
  }
  await del(host, env, config, stdin);
}

/** The answer to VERSION. It never fails: its purpose is to find out what can be said. */
function supportedVersions(host: CniHost): JsonObject {
  let cniVersion: string = LATEST_VERSION;
  try {
    const given = field(decodeObject(readConfig(host)), "cniVersion");
    if (typeof given === "string" && /^\d{1,3}(\.\d{1,3}){2}$/.test(given)) cniVersion = given;
  } catch {
    // older runtimes send nothing
  }
  return { cniVersion, supportedVersions: SUPPORTED_VERSIONS };
}
