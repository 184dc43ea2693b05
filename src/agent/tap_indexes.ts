/** Which `/dev/tapN` each spoke has on this node, for ever. */

import { z } from "zod";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { tapIndex } from "../plan/identity.ts";
import { moveAside, writeAtomically } from "./atomic_file.ts";

/** Spokes whose first candidate was taken: how many were refused. All others need no memory. */
const fileSchema = z.record(z.string(), z.int().min(1));

const PROBES_MAX = 64;

export class TapIndexes {
  readonly #path: string;
  readonly #node: string;
  readonly #log: Log;
  readonly #exists: (path: string) => boolean;
  readonly #probes = new Map<string, number>();
  /** Index to spoke. */
  readonly #taken = new Map<number, string>();
  readonly #reserved = new Map<string, number>();

  /** `exists` says whether a device node is there. */
  constructor(
    path: string,
    node: string,
    log: Log,
    exists: (path: string) => boolean = nodeExists,
  ) {
    this.#path = path;
    this.#node = node;
    this.#log = log;
    this.#exists = exists;
    // Theirs before anybody asks, so that no other spoke comes to have one of them.
    for (const [spoke, probe] of readProbes(path, log)) {
      this.#probes.set(spoke, probe);
      this.inUse(spoke, tapIndex(node, spoke, probe));
    }
  }

  /** Takes note of what is in use, so that nobody else gets it. */
  inUse(spoke: string, index: number): void {
    this.#taken.set(index, spoke);
    this.#reserved.set(spoke, index);
  }

  /**
   * The index of a spoke. The first time, candidates that another spoke has or whose device node
   * exists (nodes of one machine share /dev) are passed over, and that is remembered.
   */
  reserve(spoke: string): number {
    const known = this.#reserved.get(spoke);
    if (known !== undefined) return known;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const index = tapIndex(this.#node, spoke, probe);
      if (this.#taken.has(index) || this.#exists(`/dev/tap${index}`)) continue;
      this.inUse(spoke, index);
      if (probe > 0) this.#remember(spoke, probe);
      return index;
    }
    throw new Error(`No free tap index for spoke "${spoke}" after ${PROBES_MAX} candidates`);
  }

  #remember(spoke: string, probe: number): void {
    this.#probes.set(spoke, probe);
    try {
      writeAtomically(this.#path, JSON.stringify(Object.fromEntries(this.#probes)));
    } catch (error) {
      this.#log.warn("Cannot remember tap index", { path: this.#path, error: describe(error) });
    }
  }
}

function readProbes(path: string, log: Log): [string, number][] {
  try {
    return Object.entries(fileSchema.parse(JSON.parse(Deno.readTextFileSync(path))));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    moveAside(path, error, log);
    return [];
  }
}

function nodeExists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
