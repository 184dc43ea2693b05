/** One process at a time. */

/** Runs `task` while no other process holds the lock of file `path`, which it makes. */
export async function withFileLock<T>(path: string, task: () => Promise<T>): Promise<T> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  // The file stays: removing it would let two processes lock two files of one name.
  using file = await Deno.open(path, { write: true, create: true });
  await file.lock(true);
  return await task();
}
