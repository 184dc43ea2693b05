/** Listening at a unix socket that is its owner's alone. */

import { removeIfThere } from "./files.ts";

/**
 * Listens at `path`, in place of what is there: under another name first, so that nobody finds the
 * socket there before it is private. Closing the listener leaves the file: a listener of Deno removes
 * that at the path where it was made, some time later, when its successor may be there already.
 *
 * No umask is set for it: that is the whole process's, and other threads make files meanwhile. Nor is it
 * made in a private folder: ext4 passes over what was deleted lately, ever more of it with hundreds of them.
 */
export function listenPrivately(path: string): Deno.UnixListener {
  const hidden = path.replace(/([^/]*)$/, ".$1");
  removeIfThere(hidden); // of a process that was killed just there
  let listener: Deno.UnixListener | undefined;
  try {
    listener = Deno.listen({ transport: "unix", path: hidden });
    Deno.chmodSync(hidden, 0o600);
    Deno.renameSync(hidden, path);
    return listener;
  } catch (error) {
    listener?.close();
    removeIfThere(hidden);
    throw error;
  }
}
