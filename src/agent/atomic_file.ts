/** Small state files: either the old or the new, never half of one, and no obstacle when damaged. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

/** Writes a temporary file beside `path` and renames it into place. */
export function writeAtomically(path: string, text: string): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    Deno.writeTextFileSync(temporary, text, { createNew: true, mode: 0o600 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch {
      // Not made at all.
    }
    throw error;
  }
}

/** Is `name` that of a file that `writeAtomically` did not get to rename? */
export function isTemporary(name: string): boolean {
  return /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/.test(name);
}

/** Keeps a file that cannot be understood for a person to look at. Never throws. */
export function moveAside(path: string, why: unknown, log: Log): void {
  log.warn("Damaged file moved aside", { path, error: describe(why) });
  try {
    Deno.renameSync(path, `${path}.damaged`);
  } catch (error) {
    log.warn("Cannot move damaged file aside", { path, error: describe(error) });
  }
}
