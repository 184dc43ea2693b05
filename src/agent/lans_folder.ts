/** LAN objects from the YAML files of a folder, which is watched. */

import { z } from "zod";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Condition } from "../api/agent_protocol.ts";
import { type Lan, NO_CREATION_TIME } from "../api/lan.ts";
import { parseLans } from "../api/lan_yaml.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { lanName } from "../plan/lan_plan.ts";
import { writeAtomically } from "./atomic_file.ts";

export interface LansReading {
  readonly lans: readonly Lan[];
  readonly problems: readonly Condition[];
}

const FILE_NAME = /\.(ya?ml|json)$/;
/** An editor writes a file in several steps: they are taken together. */
const SETTLE_MS = 100;
/** The folder is looked at this often even if no event came (network file systems send none). */
const POLL_MS = 30_000;

const firstSeenSchema = z.record(z.string(), z.iso.datetime());

export class LansFolder {
  readonly #folder: string;
  readonly #firstSeenPath: string;
  readonly #log: Log;
  readonly #firstSeen: Map<string, string>;
  /** Last good content of each file. */
  readonly #good = new Map<string, readonly Lan[]>();

  /** `firstSeenPath` remembers when a LAN without creation time was first seen: the older one wins. */
  constructor(folder: string, firstSeenPath: string, log: Log) {
    this.#folder = folder;
    this.#firstSeenPath = firstSeenPath;
    this.#log = log;
    this.#firstSeen = readFirstSeen(firstSeenPath, log);
  }

  /**
   * All LANs of all files. A file that cannot be read counts with what it last said, so that a slip
   * of the editor takes no LAN away; what is wrong is told.
   */
  read(): LansReading {
    const problems: Condition[] = [];
    const present = new Set<string>();
    for (const name of fileNames(this.#folder)) {
      present.add(name);
      this.#readFile(name, problems);
    }
    for (const name of this.#good.keys()) if (!present.has(name)) this.#good.delete(name);
    return { lans: this.#dated(this.#unique(problems)), problems };
  }

  #readFile(name: string, problems: Condition[]): void {
    const path = `${this.#folder}/${name}`;
    try {
      const { size } = Deno.statSync(path);
      if (size > MAX_MESSAGE_BYTES) {
        throw new Error(`it has ${size} bytes, more than the ${MAX_MESSAGE_BYTES} a file may have`);
      }
      const entries = parseLans(Deno.readTextFileSync(path), path);
      const bad = entries.flatMap((entry) => entry.kind === "bad" ? entry.issues : []);
      for (const { document, line, path: at, message } of bad) {
        const place = line === undefined ? `document ${document}` : `line ${line}`;
        problems.push({ reason: "InvalidLan", message: `${path}, ${place}: ${at} ${message}` });
      }
      if (bad.length > 0 && this.#good.has(name)) return;
      this.#good.set(name, entries.flatMap((entry) => entry.kind === "lan" ? [entry.lan] : []));
    } catch (error) {
      problems.push({
        reason: "UnreadableFile",
        message: `Cannot read "${path}": ${describe(error)}`,
      });
    }
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
    const now = new Date().toISOString();
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
    const names = new Set(lans.map(lanName));
    for (const name of this.#firstSeen.keys()) {
      if (names.has(name)) continue;
      this.#firstSeen.delete(name);
      learned = true;
    }
    if (learned) this.#remember();
    return dated;
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
  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(changed, SETTLE_MS);
    };
    const poll = setInterval(changed, POLL_MS);
    const watcher = Deno.watchFs(this.#folder);
    const close = () => watcher.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      for await (const event of watcher) if (event.kind !== "access") soon();
    } finally {
      clearTimeout(timer);
      clearInterval(poll);
      signal.removeEventListener("abort", close);
    }
  }
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
    log.warn("Damaged file moved aside", { path, error: describe(error) });
    Deno.renameSync(path, `${path}.damaged`);
    return new Map();
  }
}
