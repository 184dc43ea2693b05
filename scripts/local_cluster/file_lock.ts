/** One process at a time. */

/**
 * Runs `task` while no other process holds the lock of file `path`, which is made for it and gone
 * afterwards.
 */
export async function withFileLock<T>(path: string, task: () => Promise<T>): Promise<T> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  for (;;) {
    using file = await Deno.open(path, { write: true, create: true });
    await file.lock(true);
    // Who held it before has removed the file: the lock of a file without a name keeps nobody out.
    if (!await isAt(path, file)) continue;
    try {
      return await task();
    } finally {
      await Deno.remove(path);
    }
  }
}

async function isAt(path: string, file: Deno.FsFile): Promise<boolean> {
  try {
    return (await Deno.stat(path)).ino === (await file.stat()).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
