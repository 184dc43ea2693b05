/** The environment a runtime passes (CNI spec 1.1.0, section 2 "Parameters"), checked. */

import { CniCode } from "../api/agent_protocol.ts";
import { AGENT_SOCKET_ENV, DEFAULT_AGENT_SOCKET } from "../api/names.ts";
import { CniError } from "./cni_error.ts";

/** Set for IPAM plugins we run: one that turns out to be k8slan itself must not run IPAM again. */
export const DELEGATED_ENV = "K8SLAN_DELEGATED";

interface Common {
  /** CNI_PATH as given; only IPAM needs it. */
  readonly path?: string;
  /** The agent's unix socket. */
  readonly socket: string;
}

export interface AttachEnv extends Common {
  readonly command: "ADD" | "CHECK";
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly args?: string;
}

export interface DetachEnv extends Common {
  readonly command: "DEL";
  readonly containerId: string;
  readonly ifname: string;
  readonly netns?: string;
  readonly args?: string;
}

export interface NetworkEnv extends Common {
  readonly command: "STATUS" | "GC" | "VERSION";
}

export type CniEnv = AttachEnv | DetachEnv | NetworkEnv;

/** Longest container ID; with the interface name it has to fit a file name. */
const CONTAINER_ID_MAX = 128;
/** IFNAMSIZ less the terminating zero. Bytes. */
const IFNAME_MAX = 15;
/** PATH_MAX less the terminating zero. Bytes. */
const PATH_MAX = 4095;

/** Reads and checks the environment. Throws `CniError` 4 that names the variable. */
export function readEnv(get: (name: string) => string | undefined): CniEnv {
  const value = (name: string) => {
    try {
      return get(name) || undefined;
    } catch { // Deno refuses values that are not UTF-8
      throw invalid(name, "is not valid UTF-8");
    }
  };
  if (value(DELEGATED_ENV) !== undefined) {
    throw new CniError(
      CniCode.InvalidConfig,
      "k8slan can't be an IPAM plugin: set ipam.type to host-local, static or dhcp",
    );
  }
  const path = value("CNI_PATH");
  const common: Common = {
    socket: agentSocket(value(AGENT_SOCKET_ENV)),
    ...(path === undefined ? {} : { path }),
  };
  const command = value("CNI_COMMAND");
  switch (command) {
    case "STATUS":
    case "GC":
    case "VERSION":
      return { ...common, command };
    case "ADD":
    case "CHECK": {
      const key = attachmentKey(value, ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"]);
      const netns = checkNetns(value("CNI_NETNS") ?? "");
      return { ...common, command, ...key, netns };
    }
    case "DEL": {
      const key = attachmentKey(value, ["CNI_CONTAINERID", "CNI_IFNAME"]);
      const netns = value("CNI_NETNS");
      // A runtime may have lost the namespace, or never known it: container and name are enough.
      const known = netns !== undefined && netnsProblem(netns) === undefined;
      return { ...common, command, ...key, ...(known ? { netns } : {}) };
    }
  }
  const found = command === undefined ? "is not set" : `is "${command}"`;
  throw invalid("CNI_COMMAND", `${found}, expected ADD, DEL, CHECK, STATUS, GC or VERSION`);
}

function invalid(name: string, problem: string): CniError {
  return new CniError(CniCode.InvalidEnvironment, `Environment variable ${name} ${problem}`);
}

function attachmentKey(
  value: (name: string) => string | undefined,
  required: readonly string[],
): { containerId: string; ifname: string; args?: string } {
  const missing = required.filter((name) => value(name) === undefined);
  if (missing.length > 0) {
    throw new CniError(
      CniCode.InvalidEnvironment,
      `Environment variable ${missing.join(", ")} is missing or empty`,
    );
  }
  const containerId = value("CNI_CONTAINERID") ?? "";
  if (containerId.length > CONTAINER_ID_MAX) {
    throw invalid("CNI_CONTAINERID", `is longer than ${CONTAINER_ID_MAX} characters`);
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId)) {
    throw invalid(
      "CNI_CONTAINERID",
      `is "${containerId}", expected letters, digits, "_", "." and "-", first a letter or digit`,
    );
  }
  const ifname = value("CNI_IFNAME") ?? "";
  const problem = ifnameProblem(ifname);
  if (problem !== undefined) throw invalid("CNI_IFNAME", `is "${ifname}", which ${problem}`);
  const args = value("CNI_ARGS");
  return { containerId, ifname, ...(args === undefined ? {} : { args }) };
}

/** The kernel's rules (dev_valid_name). */
function ifnameProblem(name: string): string | undefined {
  if (new TextEncoder().encode(name).length > IFNAME_MAX) {
    return `is longer than ${IFNAME_MAX} bytes`;
  }
  if (name === "." || name === "..") return "is not an interface name";
  if (/[/:\s]/.test(name)) return 'contains "/", ":" or white space';
  return undefined;
}

function checkNetns(netns: string): string {
  const problem = netnsProblem(netns);
  if (problem !== undefined) throw invalid("CNI_NETNS", problem);
  return netns;
}

/** The agent opens the path in its own process, where a relative one would mean something else. */
function netnsProblem(netns: string): string | undefined {
  if (!netns.startsWith("/")) return `is "${netns}", expected an absolute path`;
  if (netns.length > PATH_MAX) return `is longer than ${PATH_MAX} characters`;
  return undefined;
}

function agentSocket(value: string | undefined): string {
  if (value === undefined) return DEFAULT_AGENT_SOCKET;
  if (!value.startsWith("/")) {
    throw invalid(AGENT_SOCKET_ENV, `is "${value}", expected an absolute path`);
  }
  return value;
}
