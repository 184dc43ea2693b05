/**
 * What an agent knew of its cluster when it last ran, so that it can serve its node before the API
 * server answers. Losing it costs nothing but that.
 */

import { z } from "zod";
import { moveAside, writeAtomically } from "../agent/atomic_file.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { LanObject } from "../kube/resources.ts";
import { type HeldSpoke, heldSpokeSchema } from "./holders.ts";
import { type LanPeer, lanPeerSchema } from "./peers.ts";
import { type OpenMigration, openMigrationSchema } from "./migrations.ts";

export interface ClusterMemory {
  readonly lans: readonly LanObject[];
  /** What other nodes hold. */
  readonly held: readonly HeldSpoke[];
  /** Spokes that VMs take along to another node. */
  readonly migrations: readonly OpenMigration[];
  /** Where frames of LANs with a unicast underlay go. */
  readonly peers: readonly LanPeer[];
}

/** A thousand LANs with all that an object may have would not fill it. Bytes. */
const FILE_MAX = 64 << 20;

const text = z.string().min(1);

/** `metadata` as far as the kinds' decoder vouches for it; `spec` is validated like any other's. */
const lanObjectSchema = z.object({
  apiVersion: text,
  kind: text,
  metadata: z.object({
    name: text,
    namespace: text.exactOptional(),
    uid: text,
    resourceVersion: text,
    creationTimestamp: text,
    generation: z.number().exactOptional(),
    deletionTimestamp: text.exactOptional(),
  }),
  spec: z.unknown(),
});

const memorySchema = z.object({
  version: z.literal(1),
  lans: z.array(lanObjectSchema),
  held: z.array(heldSpokeSchema),
  migrations: z.array(openMigrationSchema).default([]),
  peers: z.array(lanPeerSchema).default([]),
});

export class ClusterCache {
  readonly #path: string;
  readonly #log: Log;
  /** As it stands in the file. */
  #written: string | undefined;
  #failed = false;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** What was written last; undefined if there is nothing of use. Never throws. */
  read(): ClusterMemory | undefined {
    try {
      const { size, isFile } = Deno.statSync(this.#path);
      if (!isFile) throw new Error("it is not a regular file");
      if (size > FILE_MAX) throw new Error(`it has ${size} bytes, more than ${FILE_MAX}`);
      const content = Deno.readTextFileSync(this.#path);
      const { lans, held, migrations, peers } = memorySchema.parse(JSON.parse(content));
      this.#written = content;
      return { lans, held, migrations, peers };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) moveAside(this.#path, error, this.#log);
      return undefined;
    }
  }

  /** Takes the place of what was written before, unless it is the same. Never throws. */
  write({ lans, held, migrations, peers }: ClusterMemory): void {
    const content = JSON.stringify({ version: 1, lans, held, migrations, peers });
    if (content === this.#written) return;
    try {
      if (content.length > FILE_MAX) throw new Error(`it would be over ${FILE_MAX} bytes`);
      writeAtomically(this.#path, content);
      this.#written = content;
      this.#failed = false;
    } catch (error) {
      const fields = { path: this.#path, error: describe(error) };
      // Tried again at each change; said once.
      if (!this.#failed) this.#log.warn("Cannot remember the cluster's LANs", fields);
      this.#failed = true;
    }
  }
}
