/**
 * Detaches asked for while the agent was away: one small JSON file each, in a directory beside the
 * agent's socket, replayed by the agent when it starts.
 *
 * The directory lives in /run: a reboot takes both the files and the interfaces they are about, so
 * nothing is synced to disk. All calls are synchronous; each is a few system calls on a tmpfs.
 */

import { removeIfThere } from "./files.ts";

/** What is remembered; the agent's `del` request. */
export interface QueuedDelete {
  readonly op: "del";
  readonly containerId: string;
  readonly ifname: string;
  readonly netns?: string;
}

export interface QueuedDeleteFile {
  readonly path: string;
  readonly request: QueuedDelete;
}

const SUFFIX = ".json";
/** Far above any real request. Bytes. */
const FILE_MAX = 16 * 1024;

/** One file per attachment: asked for twice, it is still one. A container ID never contains "@". */
function fileName(key: { readonly containerId: string; readonly ifname: string }): string {
  return `${encodeURIComponent(key.containerId)}@${encodeURIComponent(key.ifname)}${SUFFIX}`;
}

/** Remembers `request`; makes `dir` (mode 0700) if it is missing. Throws Deno's file errors. */
export function enqueueDelete(dir: string, request: QueuedDelete): void {
  Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { op, containerId, ifname, netns } = request;
  const entry: QueuedDelete = {
    op,
    containerId,
    ifname,
    ...(netns === undefined ? {} : { netns }),
  };
  // A reader never sees half a file: written under a hidden name, then renamed.
  const temporary = `${dir}/.${Deno.pid}-${fileName(request)}`;
  try {
    Deno.writeTextFileSync(temporary, JSON.stringify(entry) + "\n", { mode: 0o600 });
    Deno.renameSync(temporary, `${dir}/${fileName(request)}`);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

/**
 * Forgets the delete of an attachment that has been made anew or is gone: replayed later, it would
 * take an interface that is in use. Does nothing if there is none.
 */
export function forgetDelete(
  dir: string,
  key: { readonly containerId: string; readonly ifname: string },
): void {
  removeIfThere(`${dir}/${fileName(key)}`);
}

/**
 * All remembered deletes, in the order of their file names; none if `dir` is missing. A file that
 * can't be understood is renamed to `*.bad`, so that it is looked at once and kept for a person.
 */
export function readDeletes(dir: string): QueuedDeleteFile[] {
  const found: QueuedDeleteFile[] = [];
  for (const name of listQueue(dir)) {
    const path = `${dir}/${name}`;
    try {
      const request = readEntry(path);
      if (request !== undefined) found.push({ path, request });
      else Deno.renameSync(path, `${path}.bad`);
    } catch (error) { // forgotten meanwhile
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}

function listQueue(dir: string): string[] {
  try {
    return Array.from(Deno.readDirSync(dir), (entry) => entry.name)
      .filter((name) => !name.startsWith(".") && name.endsWith(SUFFIX))
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function readEntry(path: string): QueuedDelete | undefined {
  const info = Deno.lstatSync(path);
  if (!info.isFile || info.size > FILE_MAX) return undefined;
  try {
    const entry: Record<string, unknown> = Object(JSON.parse(Deno.readTextFileSync(path)));
    const { op, containerId, ifname, netns } = entry;
    if (op !== "del" || typeof containerId !== "string" || typeof ifname !== "string") {
      return undefined;
    }
    if (netns === undefined) return { op, containerId, ifname };
    return typeof netns === "string" ? { op, containerId, ifname, netns } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
