/** Detaches that were asked for while the agent was away. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import { readDeletes } from "../base/delete_queue.ts";
import type { Log } from "../base/log.ts";
import type { AttachService } from "./attach_service.ts";

/**
 * After the agent has begun to serve: who found it away before that may have queued a detach when
 * `run()` had already been. Milliseconds.
 */
const FIRST_MS = 2_000;
const INTERVAL_MS = 60_000;

export class DeleteReplay {
  readonly #directory: string;
  readonly #service: AttachService;
  readonly #log: Log;
  readonly #clock: Clock;

  constructor(
    directory: string,
    service: AttachService,
    log: Log,
    clock: Clock = systemClock,
  ) {
    this.#directory = directory;
    this.#service = service;
    this.#log = log;
    this.#clock = clock;
  }

  /** Looks soon after the agent has begun to serve, and then every minute until `signal` fires. */
  async repeat(signal: AbortSignal): Promise<void> {
    for (let ms = FIRST_MS;; ms = INTERVAL_MS) {
      await this.#clock.sleep(ms, signal);
      if (signal.aborted) return;
      await this.run().catch((error) => {
        this.#log.error("Replay failed", { error: describe(error) });
      });
    }
  }

  /** Does what is queued; what fails stays for the next time. */
  async run(): Promise<void> {
    for (const { path, request } of readDeletes(this.#directory)) {
      const { containerId, ifname } = request;
      try {
        // Forgotten meanwhile: the interface was detached or has been made anew since.
        if (!isThere(path)) continue;
        await this.#service.del(request);
        Deno.removeSync(path);
        this.#log.info("Replayed detach", { container: containerId, ifname });
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        this.#log.warn("Cannot replay detach", {
          ...{ container: containerId, ifname, error: describe(error) },
        });
      }
    }
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
