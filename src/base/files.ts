/** What several folders do with files. */

/** Removes the file at `path`; that there is none is fine. Throws Deno's other file errors. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
