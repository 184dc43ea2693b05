/** Whether the API server answers, for people to read. */

import type { Condition } from "../api/agent_protocol.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WatchTrouble } from "../kube/watcher.ts";

interface Trouble {
  readonly reason: string;
  /** Of the first failure that had this reason: others differ in nothing that matters. */
  readonly message: string;
  readonly since: number;
  readonly shown: boolean;
}

/** One for all watchers of a process, each of which has a name. */
export class ServerContact {
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #troubles = new Map<string, Trouble>();

  /** `changed` is called after `problem` may have become something else. */
  constructor(log: Log, changed: () => void) {
    this.#log = log;
    this.#changed = changed;
  }

  /** What the API server does not do for us; the first of several, which mostly have one cause. */
  get problem(): Condition | undefined {
    const trouble = this.#troubles.values().find(({ shown }) => shown);
    if (trouble === undefined) return undefined;
    const { reason, message } = trouble;
    return { reason, message: `${message}; meanwhile LANs are taken as they were last known` };
  }

  /** Something failed. What passes at once, as when a connection is shed, is nobody's business. */
  trouble(watcher: string, { error, during, next, afterMs }: WatchTrouble): void {
    const message = describe(error);
    this.#log.debug("Cannot follow the API server", { watcher, during, next, afterMs, message });
    const before = this.#troubles.get(watcher);
    const reason = reasonOf(error);
    this.#troubles.set(watcher, {
      ...{ reason, message: before?.reason === reason ? before.message : message },
      since: before?.since ?? performance.now(),
      shown: before !== undefined || !passes(error),
    });
    this.#changed();
  }

  /** It answered. */
  contact(watcher: string): void {
    const before = this.#troubles.get(watcher);
    if (before === undefined) return;
    this.#troubles.delete(watcher);
    const seconds = Math.round((performance.now() - before.since) / 1000);
    if (before.shown) this.#log.info("The API server answers again", { watcher, seconds });
    this.#changed();
  }
}

/** Whether the next try may well succeed. */
function passes(error: unknown): boolean {
  return error instanceof K8slanError && error.retriable && error.code !== "SuddenlyEmpty";
}

/** Codes are ours, or the server's own reasons. */
function reasonOf(error: unknown): string {
  return error instanceof K8slanError ? error.code : "ApiServerFailed";
}
