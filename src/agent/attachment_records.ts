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

const CONFIRMED = ".json";
const ANNOUNCED = ".announced";

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
    return `${this.#directory}/${key}${CONFIRMED}`;
  }

  #announcedPath(key: string): string {
    return `${this.#directory}/${key}${ANNOUNCED}`;
  }

  /** Remembers what is about to be made; `confirm` says that it has been. */
  announce(attachment: Attachment): void {
    this.#write(this.#announcedPath(attachmentKey(attachment)), attachment);
  }

  /** What was announced is there. */
  confirm(attachment: Attachment): void {
    const key = attachmentKey(attachment);
    try {
      Deno.renameSync(this.#announcedPath(key), this.#path(key));
    } catch {
      // Not announced, for want of room perhaps: there may be some by now.
      this.write(attachment);
    }
  }

  /** Remembers `attachment`. A full disk is no reason to refuse a workload: it is logged. */
  write(attachment: Attachment): void {
    this.#write(this.#path(attachmentKey(attachment)), attachment);
  }

  #write(path: string, attachment: Attachment): void {
    try {
      writeAtomically(path, JSON.stringify(attachment));
    } catch (error) {
      this.#log.warn("Cannot remember attachment", { path, error: describe(error) });
    }
  }

  remove(key: string): void {
    for (const path of [this.#announcedPath(key), this.#path(key)]) {
      try {
        Deno.removeSync(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        return this.#log.warn("Cannot forget attachment", { path, error: describe(error) });
      }
    }
  }

  /** Every readable record by its key. One that is damaged is moved aside. */
  readAll(): Map<string, Attachment> {
    const records = new Map<string, Attachment>();
    const names = this.#names();
    // What is confirmed counts for more.
    for (const suffix of [ANNOUNCED, CONFIRMED]) {
      for (const name of names.filter((name) => name.endsWith(suffix))) {
        const path = `${this.#directory}/${name}`;
        try {
          const record = recordSchema.parse(JSON.parse(Deno.readTextFileSync(path)));
          records.set(attachmentKey(record), record);
        } catch (error) {
          moveAside(path, error, this.#log);
        }
      }
    }
    return records;
  }

  /** Was it announced and never confirmed? */
  isAnnounced(key: string): boolean {
    try {
      return Deno.lstatSync(this.#announcedPath(key)).isFile;
    } catch {
      return false;
    }
  }

  #names(): string[] {
    try {
      return [...Deno.readDirSync(this.#directory)].map(({ name }) => name);
    } catch (error) {
      const directory = this.#directory;
      this.#log.warn("Cannot read what is remembered", { directory, error: describe(error) });
      return [];
    }
  }
}
