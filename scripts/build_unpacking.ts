/** The executable that unpacks itself: a launcher, and behind it an archive. */

import { type ArchiveFile, tarArchive } from "./build_archive.ts";
import { RUN_FLAGS } from "../src/cluster/program_start.ts";

/** The launcher is padded to this, so that it knows where the archive begins. */
export const LAUNCHER_BYTES = 8192;

/**
 * The bytes of the executable. `files` are Deno under the name "k8slan" and the program under
 * "app/", as build_launcher.sh expects. The same arguments give the same bytes.
 *
 * The archive is not compressed: with gzip the file has 42 instead of 97 MB, but the first start
 * takes 0.9 instead of 0.4 s, and image layers are compressed anyway.
 */
export async function unpackingExecutable(
  version: string,
  target: string,
  files: readonly ArchiveFile[],
): Promise<Blob> {
  const archive = new Blob(tarArchive(files));
  const digest = await crypto.subtle.digest("SHA-256", await archive.arrayBuffer());
  const values: Readonly<Record<string, string>> = {
    VERSION: version,
    TARGET: target,
    ID: new Uint8Array(digest).toHex().slice(0, 16),
    FLAGS: RUN_FLAGS.join(" "),
    OFFSET: String(LAUNCHER_BYTES + 1),
    MEGABYTES: String(Math.ceil(archive.size / 1e6) + 10),
  };
  const text = (await Deno.readTextFile(new URL("build_launcher.sh", import.meta.url)))
    .replaceAll(/@([A-Z]+)@/g, (_, name) => values[name] ?? "");
  const launcher = new Uint8Array(LAUNCHER_BYTES).fill("\n".charCodeAt(0));
  launcher.set(new TextEncoder().encode(text)); // a RangeError here: it has outgrown its place
  return new Blob([launcher, archive]);
}
