/** LAN objects from the YAML files of a folder, which is watched. */

import { z } from "zod";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Condition } from "../api/agent_protocol.ts";
import { type Lan, NO_CREATION_TIME } from "../api/lan.ts";
import { describeFileIssue, parseLans } from "../api/lan_yaml.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { lanName } from "../plan/lan_plan.ts";
import { moveAside, writeAtomically } from "./atomic_file.ts";
import { WATCH_TIMES, watchFolder, type WatchTimes } from "./folder_watch.ts";
import type { LanSource, LansReading } from "./lan_source.ts";

const FILE_NAME = /\.(ya?ml|json)$/;
interface ParsedFile {
  readonly stamp: string;
  readonly problems: readonly Condition[];
}

/** Times of files are as coarse as this at worst (network file systems, FAT). */
const COARSEST_TIME_MS = 2_000;

const firstSeenSchema = z.record(z.string(), z.iso.datetime());

export class LansFolder implements LanSource {
  readonly #folder: string;
  readonly #firstSeenPath: string;
  readonly #log: Log;
  readonly #times: WatchTimes;
  readonly #now: () => Date;
  readonly #firstSeen: Map<string, string>;
  /** Last good content of each file. */
  readonly #good = new Map<string, readonly Lan[]>();
  /** What was found in each file that has not been touched for a while. */
  readonly #parsed = new Map<string, ParsedFile>();

  /** `firstSeenPath` remembers when a LAN without creation time was first seen: the older one wins. */
  constructor(
    folder: string,
    firstSeenPath: string,
    log: Log,
    times: WatchTimes = WATCH_TIMES,
    now: () => Date = () => new Date(),
  ) {
    this.#folder = folder;
    this.#firstSeenPath = firstSeenPath;
    this.#log = log;
    this.#times = times;
    this.#now = now;
    this.#firstSeen = readFirstSeen(firstSeenPath, log);
  }

  /**
   * All LANs of all files. A file that cannot be read counts with what it last said, so that a slip
   * of the editor takes no LAN away; what is wrong is told.
   */
  read(): LansReading {
    const problems: Condition[] = [];
    const present = new Set<string>();
    for (const name of this.#fileNames()) {
      present.add(name);
      problems.push(...this.#readFile(name));
    }
    for (const known of [this.#good, this.#parsed]) {
      for (const name of known.keys()) if (!present.has(name)) known.delete(name);
    }
    const lans = this.#unique(problems);
    // A file that cannot be read now may be where a LAN is that nothing else tells of.
    if (problems.length === 0) this.#forgetAllBut(lans);
    return { lans: this.#dated(lans), problems };
  }

  #fileNames(): string[] {
    try {
      return fileNames(this.#folder);
    } catch (cause) {
      throw new Error(`Cannot read "${this.#folder}"`, { cause });
    }
  }

  /** Takes in what the file says; returns what is wrong with it. */
  #readFile(name: string): readonly Condition[] {
    const path = `${this.#folder}/${name}`;
    try {
      const file = Deno.statSync(path);
      const stamp = stampOf(file, this.#now());
      const parsed = this.#parsed.get(name);
      if (stamp !== undefined && parsed?.stamp === stamp) return parsed.problems;
      const problems = this.#parse(name, path, file);
      if (stamp === undefined) this.#parsed.delete(name);
      else this.#parsed.set(name, { stamp, problems });
      return problems;
    } catch (error) {
      this.#parsed.delete(name);
      return [{
        reason: "UnreadableFile",
        message: `Cannot read "${path}": ${describe(error)}`,
      }];
    }
  }

  #parse(name: string, path: string, { isFile, size }: Deno.FileInfo): Condition[] {
    // To read a pipe would wait for ever.
    if (!isFile) throw new Error("it is not a regular file");
    if (size > MAX_MESSAGE_BYTES) {
      throw new Error(`it has ${size} bytes, more than the ${MAX_MESSAGE_BYTES} a file may have`);
    }
    const entries = parseLans(Deno.readTextFileSync(path), path);
    const bad = entries.flatMap((entry) => entry.kind === "bad" ? entry.issues : []);
    if (bad.length === 0 || !this.#good.has(name)) {
      this.#good.set(name, entries.flatMap((entry) => entry.kind === "lan" ? [entry.lan] : []));
    }
    return bad.map((issue) => ({ reason: "InvalidLan", message: describeFileIssue(issue) }));
  }

  /** One LAN a name; of two files that define it the first in alphabetical order counts. */
  #unique(problems: Condition[]): Lan[] {
    const byName = new Map<string, { lan: Lan; file: string }>();
    for (const [file, lans] of [...this.#good].sort(([a], [b]) => a < b ? -1 : 1)) {
      for (const lan of lans) {
        const name = lanName(lan);
        const first = byName.get(name);
        if (first === undefined) byName.set(name, { lan, file });
        else {
          problems.push({
            reason: "DuplicateLan",
            message:
              `LAN "${name}" is defined in "${first.file}" and again in "${file}"; the first counts, remove the other`,
          });
        }
      }
    }
    return [...byName.values()].map(({ lan }) => lan);
  }

  #dated(lans: readonly Lan[]): Lan[] {
    let learned = false;
    const now = this.#now().toISOString();
    const dated = lans.map((lan) => {
      if (lan.metadata.creationTimestamp !== NO_CREATION_TIME) return lan;
      const name = lanName(lan);
      const creationTimestamp = this.#firstSeen.get(name) ?? now;
      if (!this.#firstSeen.has(name)) {
        this.#firstSeen.set(name, now);
        learned = true;
      }
      return { ...lan, metadata: { ...lan.metadata, creationTimestamp } };
    });
    if (learned) this.#remember();
    return dated;
  }

  #forgetAllBut(lans: readonly Lan[]): void {
    const names = new Set(lans.map(lanName));
    const gone = [...this.#firstSeen.keys()].filter((name) => !names.has(name));
    for (const name of gone) this.#firstSeen.delete(name);
    if (gone.length > 0) this.#remember();
  }

  #remember(): void {
    try {
      writeAtomically(this.#firstSeenPath, JSON.stringify(Object.fromEntries(this.#firstSeen)));
    } catch (error) {
      const path = this.#firstSeenPath;
      this.#log.warn("Cannot remember when LANs were first seen", { path, error: describe(error) });
    }
  }

  /** Calls `changed` after the folder's content changed, until `signal` fires. */
  watch(changed: () => void, signal: AbortSignal): Promise<void> {
    return watchFolder(this.#folder, changed, signal, this.#log, this.#times);
  }
}

/**
 * A text that differs once the file has changed; undefined for one that was changed just now, since
 * it could change again and bear the same time.
 */
function stampOf(
  { dev, ino, size, mtime, ctime }: Deno.FileInfo,
  now: Date,
): string | undefined {
  if (mtime === null || ctime === null) return undefined;
  const [modified, changed] = [mtime.getTime(), ctime.getTime()];
  if (Math.max(modified, changed) > now.getTime() - COARSEST_TIME_MS) return undefined;
  return [dev, ino, size, modified, changed].join();
}

function fileNames(folder: string): string[] {
  return [...Deno.readDirSync(folder)]
    .filter(({ name, isDirectory }) =>
      !isDirectory && !name.startsWith(".") && FILE_NAME.test(name)
    )
    .map(({ name }) => name)
    .sort();
}

function readFirstSeen(path: string, log: Log): Map<string, string> {
  try {
    return new Map(
      Object.entries(firstSeenSchema.parse(JSON.parse(Deno.readTextFileSync(path)))),
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    moveAside(path, error, log);
    return new Map();
  }
}
