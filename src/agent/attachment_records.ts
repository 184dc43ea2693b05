/**
 * What is remembered of attachments over a restart, one file each. A cache: without it the marks in
 * the kernel still tell what is attached, only not to which workload.
 */

import { z } from "zod";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { moveAside, writeAtomically } from "./atomic_file.ts";
import { type Attachment, attachmentKey } from "./attachment.ts";

const routes = z.array(z.object({
  dst: z.string(),
  gw: z.string().exactOptional(),
  mtu: z.int().exactOptional(),
  priority: z.int().exactOptional(),
}));
const ips = z.array(z.object({ address: z.string(), gateway: z.string().exactOptional() }));

const recordSchema: z.ZodType<Attachment> = z.object({
  containerId: z.string(),
  ifname: z.string(),
  lanId: z.string(),
  lan: z.string(),
  netnsPath: z.string(),
  port: z.string(),
  spoke: z.string().exactOptional(),
  attach: z.enum(["macvtap", "veth"]),
  target: z.object({ path: z.string(), identity: z.string() }).exactOptional(),
  details: z.object({
    network: z.string(),
    pod: z.object({
      namespace: z.string(),
      name: z.string(),
      uid: z.string().exactOptional(),
    }).exactOptional(),
    mac: z.string(),
    mtu: z.int(),
    tapIndex: z.int().exactOptional(),
    owner: z.object({ uid: z.int(), gid: z.int() }).exactOptional(),
    ips,
    routes,
  }).exactOptional(),
});

export class AttachmentRecords {
  readonly #directory: string;
  readonly #log: Log;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    try {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      log.warn("Attachments will not be remembered", { directory, error: describe(error) });
    }
  }

  #path(key: string): string {
    return `${this.#directory}/${key}.json`;
  }

  /** Remembers `attachment`. A full disk is no reason to refuse a workload: it is logged. */
  write(attachment: Attachment): void {
    const path = this.#path(attachmentKey(attachment));
    try {
      writeAtomically(path, JSON.stringify(attachment));
    } catch (error) {
      this.#log.warn("Cannot remember attachment", { path, error: describe(error) });
    }
  }

  remove(key: string): void {
    try {
      Deno.removeSync(this.#path(key));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.#log.warn("Cannot forget attachment", { key, error: describe(error) });
    }
  }

  /** Every readable record by its key. One that is damaged is moved aside. */
  readAll(): Map<string, Attachment> {
    const records = new Map<string, Attachment>();
    for (const path of this.#paths()) {
      try {
        const record = recordSchema.parse(JSON.parse(Deno.readTextFileSync(path)));
        records.set(attachmentKey(record), record);
      } catch (error) {
        moveAside(path, error, this.#log);
      }
    }
    return records;
  }

  #paths(): string[] {
    try {
      return [...Deno.readDirSync(this.#directory)]
        .filter(({ name }) => name.endsWith(".json"))
        .map(({ name }) => `${this.#directory}/${name}`);
    } catch (error) {
      const directory = this.#directory;
      this.#log.warn("Cannot read what is remembered", { directory, error: describe(error) });
      return [];
    }
  }
}
