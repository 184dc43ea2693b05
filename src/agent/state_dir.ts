/** A directory of state files, which are a cache: nothing about it stops the agent. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { isTemporary } from "./atomic_file.ts";

/**
 * Makes the directory if it is missing, and removes what a crash left half-written in it. The caller
 * is the only one who writes there. Never throws.
 */
export function prepareStateDir(directory: string, log: Log): void {
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const { name } of [...Deno.readDirSync(directory)]) {
      if (isTemporary(name)) Deno.removeSync(`${directory}/${name}`);
    }
  } catch (error) {
    log.warn("Cannot prepare state directory; the agent works without", {
      directory,
      error: describe(error),
    });
  }
}
