/** Keeps the CNI plugin, which is this program, where the container runtime looks for it. */

import { isTemporary, writeAtomically } from "../agent/atomic_file.ts";
import type { Condition } from "../api/agent_protocol.ts";
import { CNI_TYPE, CNI_TYPE_ALIAS } from "../api/names.ts";
import { type Backoff, backoffMs } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type FileParts, findParts, isMadeOf, writeParts } from "./file_parts.ts";
import type { ProgramFolder } from "./program_folder.ts";

export interface CniInstallerOptions {
  /** The executable for the host: a file, or a folder with its parts. */
  readonly source: string;
  /** Where the runtime looks for plugins. */
  readonly binDir: string;
  /** Remembers what was installed; may be lost. */
  readonly stampFile: string;
  /** Where the plugin finds itself unpacked. None: it unpacks itself at its first call. */
  readonly program?: Pick<ProgramFolder, "lay" | "prune">;
  readonly log: Log;
  /** Called after `problems` may have become something else. */
  readonly changed?: () => void;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** Somebody may remove the plugin: looking costs a few calls of stat(2). */
const CHECK_MS = 60_000;
const BACKOFF: Backoff = { firstMs: 1_000, mostMs: 60_000 };
const MODE = 0o755;

/** The executable to install, by an environment variable; undefined when run from the sources. */
export function installSource(env: (name: string) => string | undefined): string | undefined {
  return env("K8SLAN_EXECUTABLE") ?? (Deno.build.standalone ? Deno.execPath() : undefined);
}

/**
 * Guarantees: under the plugin's name there is always a whole executable, the old or the new one,
 * whenever the installer or the machine stops, and however many install at once. A plugin that is
 * as it should be is not touched.
 */
export class CniInstaller {
  readonly #options: CniInstallerOptions;
  readonly #clock: Clock;
  readonly #target: string;
  readonly #alias: string;
  #problems: readonly Condition[] = [];
  #isInstalled = false;

  constructor(options: CniInstallerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#target = `${options.binDir}/${CNI_TYPE}`;
    this.#alias = `${options.binDir}/${CNI_TYPE_ALIAS}`;
  }

  /** "PluginNotInstalled" and "AliasMissing" are tried again; "AliasTaken" is for information. */
  get problems(): readonly Condition[] {
    return this.#problems;
  }

  /** Whether the plugin was there, as it should be, at the last look. */
  get isInstalled(): boolean {
    return this.#isInstalled;
  }

  /** Installs, and looks each minute whether it still is, until `signal` fires. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const random = this.#options.random ?? Math.random;
    for (let failures = 0; !signal.aborted;) {
      failures = await this.install() ? 0 : failures + 1;
      const waitMs = failures === 0 ? CHECK_MS : backoffMs(BACKOFF, failures, random());
      await this.#clock.sleep(waitMs, signal);
    }
  }

  /** Installs what is not there. Says whether there is nothing to be tried again. */
  async install(): Promise<boolean> {
    const { program } = this.#options;
    // Before the plugin, whose first call may come the moment it has its name.
    await program?.lay();
    const failure = await attempt("PluginNotInstalled", this.#target, () => this.#installPlugin());
    this.#isInstalled = failure === undefined;
    // A plugin of another version would still need its own.
    if (this.#isInstalled) await program?.prune();
    const alias = this.#isInstalled
      ? await attempt("AliasMissing", this.#alias, () => this.#installAlias())
      : undefined;
    this.#note([failure, alias].filter((problem) => problem !== undefined));
    return this.#problems.every(({ reason }) => reason === "AliasTaken");
  }

  #note(problems: readonly Condition[]): void {
    const { log, changed } = this.#options;
    const known = new Set(this.#problems.map(({ message }) => message));
    const isSame = problems.length === known.size && problems.every((p) => known.has(p.message));
    for (const problem of problems) {
      if (known.has(problem.message)) continue;
      log[problem.reason === "AliasTaken" ? "info" : "warn"]("CNI plugin", { ...problem });
    }
    this.#problems = problems;
    if (!isSame) changed?.();
  }

  async #installPlugin(): Promise<void> {
    const { source, binDir, log } = this.#options;
    const parts = await findParts(source);
    await Deno.mkdir(binDir, { recursive: true });
    const found = await lookAt(this.#target);
    if (found !== undefined && await this.#remembered() === stampOf(parts, found)) return;
    // One that cannot be read is no plugin either.
    if (found !== undefined && await isPlugin(this.#target, parts).catch(() => false)) {
      return this.#remember(stampOf(parts, found));
    }
    await this.#removeLeftovers();
    this.#remember(stampOf(parts, await this.#replace(parts)));
    log.info("CNI plugin is installed", { path: this.#target, bytes: parts.size });
  }

  /** A file under a name of its own becomes the plugin once it is whole, on the disk too. */
  async #replace(parts: FileParts): Promise<Deno.FileInfo> {
    const temporary = `${this.#options.binDir}/.${CNI_TYPE}.${crypto.randomUUID()}.tmp`;
    try {
      await Deno.writeFile(temporary, new Uint8Array(), { createNew: true, mode: 0o600 });
      // Until it has its name, so that nobody takes it for a leftover.
      using lock = await Deno.open(temporary);
      lock.tryLockSync(true);
      {
        // Closed before it can be executed, which no file is while somebody may write it.
        using file = await Deno.open(temporary, { write: true });
        await writeParts(parts, file);
        await Deno.chmod(temporary, MODE);
        await file.sync();
      }
      if (!await isPlugin(temporary, parts)) throw new Error("what was written reads differently");
      // Not after it got its name: somebody may replace it at once.
      const made = await Deno.lstat(temporary);
      await Deno.rename(temporary, this.#target);
      using folder = await Deno.open(this.#options.binDir);
      await folder.sync();
      return made;
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
  }

  /** What a crash left. Those of an installer that is at work are locked. */
  async #removeLeftovers(): Promise<void> {
    const { binDir, log } = this.#options;
    for await (const { name, isFile } of Deno.readDir(binDir)) {
      if (!isFile || !name.startsWith(`.${CNI_TYPE}.`) || !isTemporary(name)) continue;
      try {
        using file = await Deno.open(`${binDir}/${name}`);
        if (!file.tryLockSync(true)) continue;
        await Deno.remove(`${binDir}/${name}`);
        log.info("Removed what an interrupted installation left", { name });
      } catch (error) {
        log.debug("Cannot remove a temporary file", { name, error: describe(error) });
      }
    }
  }

  async #remembered(): Promise<string | undefined> {
    return await Deno.readTextFile(this.#options.stampFile).catch(() => undefined);
  }

  #remember(stamp: string): void {
    const { stampFile: path, log } = this.#options;
    try {
      writeAtomically(path, stamp);
    } catch (error) {
      log.debug("Cannot remember what was installed", { path, error: describe(error) });
    }
  }

  /** The second name, unless it is another project's. */
  async #installAlias(): Promise<void> {
    const alias = this.#alias;
    try {
      if ([CNI_TYPE, `./${CNI_TYPE}`, this.#target].includes(await Deno.readLink(alias))) return;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return await Deno.symlink(CNI_TYPE, alias);
      // Anything but a link cannot be read as one.
    }
    throw new K8slanError(
      "AliasTaken",
      `"${alias}" belongs to another program and is left alone; networks of k8slan need type "${CNI_TYPE}", or remove that file`,
    );
  }
}

/** What an action that failed means for people; what is there stays as it is. */
async function attempt(
  reason: string,
  path: string,
  action: () => Promise<void>,
): Promise<Condition | undefined> {
  try {
    await action();
  } catch (error) {
    if (error instanceof K8slanError) return { reason: error.code, message: error.message };
    const isThere = await Deno.lstat(path).then(() => true, () => false);
    const rest = isThere ? "; the one that is there stays" : "";
    return { reason, message: `Cannot install "${path}": ${describe(error)}${rest}` };
  }
  return undefined;
}

/** Stays the same as long as neither the source nor the plugin that was made of it changes. */
function stampOf(parts: FileParts, { ino, size, mode, mtime }: Deno.FileInfo): string {
  return JSON.stringify({ source: parts.stamp, plugin: [ino, size, mode, mtime] });
}

async function lookAt(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether `path` is an executable file that consists of the parts. Throws if it can't be read. */
async function isPlugin(path: string, parts: FileParts): Promise<boolean> {
  const { isFile, mode } = await Deno.lstat(path);
  return isFile && ((mode ?? 0) & 0o7777) === MODE && await isMadeOf(path, parts);
}
