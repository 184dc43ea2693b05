/** The network configuration on stdin: decoded as far as the plugin itself has to understand it. */

import { CniCode } from "../api/agent_protocol.ts";
import { CniError } from "./cni_error.ts";
import { field, isObject, type JsonObject, parseJson } from "./json.ts";

/** Specification versions this plugin speaks, oldest first. */
export const SUPPORTED_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type SpecVersion = typeof SUPPORTED_VERSIONS[number];

/** Written in errors that come before the configuration's own version is known. */
export const LATEST_VERSION: SpecVersion = "1.1.0";

/** First version with the verb; the others are in every version. */
const VERB_SINCE: Readonly<Record<string, SpecVersion>> = {
  CHECK: "0.4.0",
  STATUS: "1.1.0",
  GC: "1.1.0",
};

/** `a` is the same version as `b` or newer. */
export function atLeast(a: SpecVersion, b: SpecVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(a) >= SUPPORTED_VERSIONS.indexOf(b);
}

/** The bytes of stdin as a JSON object. Throws `CniError` 6. */
export function decodeObject(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new CniError(CniCode.Decode, `Network configuration on stdin is not JSON: ${reason}`);
  }
  if (isObject(value)) return value;
  throw new CniError(CniCode.Decode, "Network configuration on stdin is not a JSON object");
}

/**
 * The configuration's version. Throws `CniError` 1, which lists the supported ones, or 6 if it is no
 * string. An absent one means 0.2.0 or older (CNI spec, section 1).
 */
export function specVersion(config: JsonObject): SpecVersion {
  const value = field(config, "cniVersion");
  if (value !== undefined && typeof value !== "string") {
    throw new CniError(CniCode.Decode, "cniVersion is not a string");
  }
  const found = SUPPORTED_VERSIONS.find((version) => version === value);
  if (found !== undefined) return found;
  throw new CniError(
    CniCode.IncompatibleVersion,
    value === undefined
      ? "cniVersion is missing, which means a version older than 0.3.0"
      : `cniVersion "${value}" is not supported`,
    { details: `Supported versions: ${SUPPORTED_VERSIONS.join(", ")}` },
  );
}

/** Throws `CniError` 1 if `version` does not have the verb yet. */
export function checkVerb(version: SpecVersion, command: string): void {
  const since = VERB_SINCE[command];
  if (since === undefined || atLeast(version, since)) return;
  throw new CniError(
    CniCode.IncompatibleVersion,
    `cniVersion "${version}" does not have ${command}, which came with ${since}`,
  );
}

/** `name` of the network. Throws `CniError` 7. */
export function networkName(config: JsonObject): string {
  const name = field(config, "name");
  if (typeof name === "string" && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return name;
  throw new CniError(
    CniCode.InvalidConfig,
    name === undefined
      ? "name of the network is missing"
      : 'name of the network must be a string of letters, digits, "_", "." and "-"',
  );
}

/** `ipam.type`, or undefined where no addresses are asked for. Throws `CniError` 7. */
export function ipamType(config: JsonObject): string | undefined {
  const ipam = field(config, "ipam");
  if (ipam === undefined) return undefined;
  if (!isObject(ipam)) throw new CniError(CniCode.InvalidConfig, "ipam is not an object");
  const type = field(ipam, "type");
  if (type === undefined || type === "") return undefined;
  // A path here would let whoever writes the configuration run any file as root.
  if (typeof type !== "string" || type.includes("/") || type === "." || type === "..") {
    throw new CniError(
      CniCode.InvalidConfig,
      "ipam.type must be the file name of a plugin in CNI_PATH, without any path",
    );
  }
  return type;
}

/** `prevResult`, which CHECK is given by the specification. Throws `CniError` 7 if it is no object. */
export function prevResult(config: JsonObject): JsonObject | undefined {
  const value = field(config, "prevResult");
  if (value === undefined || isObject(value)) return value;
  throw new CniError(CniCode.InvalidConfig, "prevResult is not an object");
}
