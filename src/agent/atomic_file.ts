/** Files that are either the old or the new, never half of one. */

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
