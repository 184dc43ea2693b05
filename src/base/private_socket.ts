/** Listening at a unix socket that is its owner's alone, from the first moment on. */

/** Of the folder that a socket is made in, beside the place where it goes. */
const NEST = ".k8slan";

/**
 * Listens at `path`, in place of what is there. Closing the listener leaves the file: a listener of
 * Deno removes that at the path where it was made, and this one was made elsewhere.
 *
 * No umask is set for it: that is the whole process's, and other threads make files meanwhile.
 */
export function listenPrivately(path: string): Deno.UnixListener {
  const nest = path.replace(/[^/]*$/, NEST);
  removeIfThere(nest); // of a process that was killed just there
  Deno.mkdirSync(nest, { mode: 0o700 });
  let listener: Deno.UnixListener | undefined;
  try {
    listener = Deno.listen({ transport: "unix", path: `${nest}/s` });
    Deno.chmodSync(`${nest}/s`, 0o600);
    Deno.renameSync(`${nest}/s`, path);
    return listener;
  } catch (error) {
    listener?.close();
    throw error;
  } finally {
    removeIfThere(nest);
  }
}

function removeIfThere(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
