/** How people name a network namespace, and the container id that goes with it. */

import { resolve } from "node:path";
import { hashHex } from "../base/hash.ts";
import { UsageError } from "./exit_code.ts";

/** Where `ip netns add` puts its namespaces. */
const NAMED_NETNS_DIR = "/run/netns";
const LABEL_MAX = 24;

/**
 * Absolute path of the namespace that `text` names: a path, a process id, or a name as `ip netns`
 * uses it. `cwd` is where relative paths start. Throws `UsageError`.
 */
export function netnsPath(text: string, cwd: string): string {
  if (/^[1-9]\d{0,9}$/.test(text)) return `/proc/${text}/ns/net`;
  if (text.includes("/")) {
    // Two spellings of one place must not become two attachments.
    return resolve(cwd, text).replace(/^\/var\/run\//, "/run/");
  }
  if (text !== "" && text !== "." && text !== "..") return `${NAMED_NETNS_DIR}/${text}`;
  throw new UsageError(`"${text}" is no network namespace: expected a path, process id or name`);
}

/**
 * The container id of what is attached to the namespace at `path` from the command line: the same
 * every time, so that `detach` finds it; of letters, digits and "-", as CNI demands; and readable.
 */
export function containerIdOf(path: string): string {
  const process = /^\/proc\/(\d+)\/ns\/net$/.exec(path)?.[1];
  const name = process ?? path.slice(path.lastIndexOf("/") + 1);
  const label = name.replaceAll(/[^A-Za-z0-9]+/g, "-").slice(0, LABEL_MAX).replaceAll(/^-|-$/g, "");
  return ["cli", ...(label === "" ? [] : [label]), hashHex(path, 8)].join("-");
}
