/** Detaches that were asked for while the agent was away. */

import { describe } from "../base/errors.ts";
import { readDeletes } from "../base/delete_queue.ts";
import type { Log } from "../base/log.ts";
import type { AttachService } from "./attach_service.ts";

export class DeleteReplay {
  readonly #directory: string;
  readonly #service: AttachService;
  readonly #log: Log;

  constructor(directory: string, service: AttachService, log: Log) {
    this.#directory = directory;
    this.#service = service;
    this.#log = log;
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
