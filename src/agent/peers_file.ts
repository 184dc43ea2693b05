/** The other nodes, for LANs with a unicast underlay: a file of addresses, which is watched. */

import { dirname } from "node:path";
import type { Condition } from "../api/agent_protocol.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { textList } from "../base/text_list.ts";
import { type Peers, vtepAddress } from "../plan/vtep.ts";
import { WATCH_TIMES, watchFolder, type WatchTimes } from "./folder_watch.ts";

/** Each frame that goes to all nodes is sent that often. */
export const PEERS_MAX = 1000;
/** Room for as many addresses, each with a comment. Bytes. */
const FILE_MAX = 256 << 10;
/** Lines that are told of; one slip more or less changes nothing. */
const BAD_LINES_SHOWN = 5;

export interface PeersText {
  readonly peers: readonly string[];
  /** What is wrong, by line. */
  readonly faults: readonly string[];
}

/** One IPv6 address a line; `#` begins a comment. */
export function parsePeers(text: string): PeersText {
  const peers = new Set<string>();
  const faults: string[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    const word = line.replace(/#.*/, "").trim();
    if (word === "") continue;
    const address = vtepAddress(word);
    if (address === undefined) {
      faults.push(
        `line ${at + 1}: expected the IPv6 address of a node, found "${clip(word)}"`,
      );
    } else peers.add(address);
  }
  if (peers.size > PEERS_MAX) {
    faults.push(`it has ${peers.size} addresses, more than the ${PEERS_MAX} it may have`);
  }
  return { peers: [...peers].sort(), faults };
}

/** Goes by the last list that was right as a whole; before there is one, nothing is known. */
export class PeersFile {
  readonly #path: string;
  readonly #log: Log;
  readonly #times: WatchTimes;
  #peers: readonly string[] | undefined;
  #problems: readonly Condition[] = [];

  /** Reads the file at once. */
  constructor(path: string, log: Log, times: WatchTimes = WATCH_TIMES) {
    this.#path = path;
    this.#log = log;
    this.#times = times;
    this.#read();
  }

  get peers(): Peers {
    return this.#peers ?? "unknown";
  }

  get problems(): readonly Condition[] {
    return this.#problems;
  }

  /** Calls `changed` after peers or problems have become others, until `signal` fires. */
  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    // Editors put another file in its place.
    await watchFolder(
      ...[dirname(this.#path), () => this.#read() && changed(), signal, this.#log] as const,
      this.#times,
    );
  }

  /** Says whether anything has changed. */
  #read(): boolean {
    const before = JSON.stringify([this.#peers, this.#problems]);
    const known = this.#problems;
    this.#problems = [];
    try {
      const { peers, faults } = parsePeers(this.#text());
      if (faults.length === 0) this.#peers = peers;
      else this.#problems = [this.#problem("InvalidPeers", faults)];
    } catch (error) {
      this.#problems = [this.#problem("UnreadablePeers", [describe(error)])];
    }
    const differs = JSON.stringify([this.#peers, this.#problems]) !== before;
    if (differs) this.#tell(known);
    return differs;
  }

  #text(): string {
    const { isFile, size } = Deno.statSync(this.#path);
    // To read a pipe would wait for ever.
    if (!isFile) throw new Error("it is not a regular file");
    if (size > FILE_MAX) {
      throw new Error(`it has ${size} bytes, more than the ${FILE_MAX} it may have`);
    }
    return Deno.readTextFileSync(this.#path);
  }

  #problem(reason: string, faults: readonly string[]): Condition {
    const shown = textList(faults, { most: BAD_LINES_SHOWN, separator: "; " });
    const meanwhile = this.#peers === undefined
      ? "until that is put right, LANs with a unicast underlay send to the nodes that they sent to before"
      : "the list that was read before goes on to count";
    return {
      reason,
      message: `Cannot take peers from "${this.#path}": ${shown}; ${meanwhile}`,
    };
  }

  #tell(known: readonly Condition[]): void {
    if (this.#problems.length === 0) {
      this.#log.info("Peers read", { path: this.#path, peers: this.#peers?.length ?? 0 });
    } else if (JSON.stringify(known) !== JSON.stringify(this.#problems)) {
      for (const problem of this.#problems) this.#log.warn("Problem", { ...problem });
    }
  }
}

function clip(word: string): string {
  return word.length > 64 ? `${word.slice(0, 64)}…` : word;
}
