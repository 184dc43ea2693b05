/**
 * Keeps the CNI plugin's program unpacked where the plugin looks for it first
 * (scripts/build_launcher.sh): to unpack 100 MB within its first call takes seconds where a container
 * runtime leaves little memory to its plugins.
 */

import { statfs } from "node:fs/promises";
import { isTemporary } from "../agent/atomic_file.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type CarriedFile, type CarriedProgram, findCarried } from "./carried_program.ts";
import { type FileParts, findParts, writeParts } from "./file_parts.ts";
import { startOnce } from "./program_start.ts";

export interface ProgramFolderOptions {
  /** The executable for the host: a file, or a folder with its parts. */
  readonly source: string;
  /** Holds a folder for each version; nobody else writes there but what is started from it. */
  readonly folder: string;
  readonly log: Log;
}

const ID = /^[0-9a-f]{16}$/;
/** Of other versions; what was started long ago may still load some of its code. */
const UNUSED_MS = 24 * 3600_000;

/** Nothing depends on it: without, the plugin unpacks itself elsewhere. */
export class ProgramFolder {
  readonly #options: ProgramFolderOptions;
  /** What the source carries, until its stamp changes. */
  #known: { readonly stamp: string; readonly program: CarriedProgram | undefined } | undefined;
  /** The version that was started since it was laid, by this process. */
  #started: string | undefined;
  /** The version that does not run from here. */
  #unfit: string | undefined;
  #failure: string | undefined;

  constructor(options: ProgramFolderOptions) {
    this.#options = options;
  }

  /** Unpacks what is not there as it should be. Does nothing for a compiled program. Never throws. */
  async lay(): Promise<void> {
    const { source, folder, log } = this.#options;
    try {
      const parts = await findParts(source);
      const program = await this.#carriedBy(parts);
      if (program === undefined || program.id === this.#unfit) return;
      const dir = `${folder}/${program.id}`;
      if (!await isWhole(dir, program)) {
        this.#started = undefined;
        await this.#unpack(parts, program, dir);
        log.info("The program is unpacked for the CNI plugin", { path: dir });
      }
      if (program.id !== this.#started) await this.#start(program, dir);
      this.#failure = undefined;
    } catch (error) {
      const failure = describe(error);
      if (failure !== this.#failure) {
        log.warn(
          "Cannot unpack the program; the CNI plugin's first call has to, and takes longer",
          {
            ...{ folder, error: failure },
          },
        );
      }
      this.#failure = failure;
    }
  }

  /** Removes other versions that nobody has started for a day. Never throws. */
  async prune(): Promise<void> {
    const { folder, log } = this.#options;
    try {
      if (!await isThere(folder)) return;
      for await (const { name } of Deno.readDir(folder)) {
        if (!ID.test(name) || name === this.#known?.program?.id) continue;
        const path = `${folder}/${name}`;
        if (Date.now() - await lastStart(path) < UNUSED_MS) continue;
        await Deno.remove(path, { recursive: true });
        log.info("Removed the unpacked program of another version", { path });
      }
    } catch (error) {
      log.debug("Cannot look for other versions", { folder, error: describe(error) });
    }
  }

  async #carriedBy(parts: FileParts): Promise<CarriedProgram | undefined> {
    if (this.#known?.stamp !== parts.stamp) {
      this.#known = { stamp: parts.stamp, program: await findCarried(parts) };
      this.#unfit = undefined;
    }
    return this.#known.program;
  }

  /** A folder under a name of its own gets its name once it is whole, on the disk too. */
  async #unpack(parts: FileParts, program: CarriedProgram, dir: string): Promise<void> {
    const { folder } = this.#options;
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#removeLeftovers();
    await requireRoom(folder, parts.size);
    const temporary = () => `${folder}/.${program.id}.${crypto.randomUUID()}.tmp`;
    const work = temporary();
    try {
      await Deno.mkdir(work, { mode: 0o700 });
      for (const path of foldersOf(program)) await Deno.mkdir(`${work}/${path}`, { mode: 0o755 });
      for (const file of program.files) await layFile(parts, file, `${work}/${file.path}`);
      for (const path of foldersOf(program)) await sync(`${work}/${path}`);
      await sync(work);
      if (await isThere(dir)) await Deno.rename(dir, temporary());
      await Deno.rename(work, dir);
      await sync(folder);
    } finally {
      await this.#removeLeftovers();
    }
  }

  async #removeLeftovers(): Promise<void> {
    const { folder } = this.#options;
    for await (const { name } of Deno.readDir(folder)) {
      if (isTemporary(name)) await Deno.remove(`${folder}/${name}`, { recursive: true });
    }
  }

  /**
   * Afterwards Deno's caches are on the disk, and what a start needs of the program is in memory, on
   * the account of this process: to read it within a small control group takes a call a second.
   * What can't be started had better not be found.
   */
  async #start({ id }: CarriedProgram, dir: string): Promise<void> {
    const why = await startOnce(dir);
    if (why === undefined) {
      this.#started = id;
      return;
    }
    this.#unfit = id;
    await Deno.remove(dir, { recursive: true });
    throw new Error(`It does not run from "${dir}": ${why}`);
  }
}

/** All that files lie in, the outer ones first. */
function foldersOf({ files }: CarriedProgram): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
      folders.add(path.slice(0, end));
    }
  }
  return [...folders].toSorted();
}

async function layFile(parts: FileParts, file: CarriedFile, path: string): Promise<void> {
  // Closed before it can be executed, which no file is while somebody may write it.
  using made = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  await writeParts(parts, made, file.start, file.start + file.size);
  await Deno.chmod(path, file.mode);
  // As in the archive. Whoever changes the file later changes this too.
  await made.utime(0, 0);
  await made.sync();
}

/** Whether nobody has changed it since. */
async function isWhole(dir: string, { files }: CarriedProgram): Promise<boolean> {
  const uid = Deno.uid();
  try {
    if ((await Deno.lstat(dir)).uid !== uid) return false;
    for (const { path, mode, size } of files) {
      const found = await Deno.lstat(`${dir}/${path}`);
      if (!found.isFile || found.size !== size || found.uid !== uid) return false;
      if (((found.mode ?? 0) & 0o7777) !== mode || found.mtime?.getTime() !== 0) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

/** Twice the size: the plugin itself comes next, and is worth more. */
async function requireRoom(folder: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  if (bavail * bsize >= 2 * size) return;
  throw new Error(
    `It needs ${megabytes(2 * size)} of free space, found ${megabytes(bavail * bsize)}`,
  );
}

/** The launcher touches a file at every start. Milliseconds since 1970. */
async function lastStart(dir: string): Promise<number> {
  const used = await Deno.lstat(`${dir}/used`).catch(() => undefined);
  return ((used ?? await Deno.lstat(dir)).mtime ?? new Date(0)).getTime();
}

async function sync(folder: string): Promise<void> {
  using opened = await Deno.open(folder);
  await opened.sync();
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
