/** Which spokes two pods of a VM may hold while it migrates, as the LANs' status says. */

import { z } from "zod";
import type { AttachAsk } from "../agent/attach_gate.ts";
import { lanStatusSchema, migrationSchema } from "../api/lan_status.ts";
import type { DeepReadonly } from "../base/deep_readonly.ts";
import type { LanObject } from "../kube/resources.ts";
import type { ResourceEvent } from "../kube/watcher.ts";
import { markId } from "../plan/mark.ts";
import type { Holder } from "./holders.ts";

/** A migration and its LAN: what is worth remembering over a start. */
export const openMigrationSchema = migrationSchema.extend({ lanUid: z.string().min(1).max(128) });

export type OpenMigration = DeepReadonly<z.output<typeof openMigrationSchema>>;

export class Migrations {
  readonly #byLan = new Map<string, ReadonlyMap<string, OpenMigration>>();

  /** With what `open` was earlier, until the API server answers. */
  constructor(open: readonly OpenMigration[] = []) {
    for (const [lanUid, list] of Map.groupBy(open, (one) => markId(one.lanUid))) {
      this.#byLan.set(lanUid, new Map(list.map((one) => [one.spoke, one])));
    }
  }

  /** All of them, to be remembered. */
  get open(): readonly OpenMigration[] {
    return [...this.#byLan.values()].flatMap((bySpoke) => [...bySpoke.values()]);
  }

  /** That of a spoke, if a VM takes it along now. */
  of(lanUid: string, spoke: string): OpenMigration | undefined {
    return this.#byLan.get(markId(lanUid))?.get(spoke);
  }

  /** Takes in what becomes of a LAN; returns whether anything migrates differently now. */
  apply(event: ResourceEvent<LanObject>): boolean {
    if (event.type === "synced") return false;
    const { uid } = event.object.metadata;
    const id = markId(uid);
    const now = event.type === "deleted" ? [] : openOf(event.object);
    const before = [...this.#byLan.get(id)?.values() ?? []];
    if (textOf(before) === textOf(now)) return false;
    if (now.length === 0) this.#byLan.delete(id);
    else this.#byLan.set(id, new Map(now.map((one) => [one.spoke, one])));
    return true;
  }
}

function openOf({ metadata: { uid: lanUid }, status }: LanObject): OpenMigration[] {
  if (status?.migrations === undefined) return [];
  const { data } = lanStatusSchema.shape.migrations.safeParse(status.migrations);
  return data?.map((migration) => ({ ...migration, lanUid })) ?? [];
}

/** The API server has the fields of an object in an order of its own. */
function textOf(migrations: readonly OpenMigration[]): string {
  return JSON.stringify(
    migrations.map(({ lanUid, spoke, from, to }) => [
      ...[lanUid, spoke, from.node, from.namespace, from.name, from.uid],
      ...[to.node, to.namespace, to.name, to.uid],
    ]),
  );
}

/**
 * Whether a pod may come to `node` that takes the spoke over from `holder`, which is on another node.
 * Also the node that a VM leaves may still have its pod anew: a sandbox that died is made again.
 */
export function isExpected(
  migration: OpenMigration | undefined,
  holder: Holder,
  node: string,
): boolean {
  if (migration === undefined) return false;
  const { from, to } = migration;
  if (from.node === node) return holder.pod?.uid === to.uid;
  return isHolder(from, holder) && (to.node ?? node) === node;
}

/** Whether it is this pod that may have the spoke beside `holder`. */
export function isMigrating(
  migration: OpenMigration | undefined,
  holder: Holder,
  pod: AttachAsk["pod"],
): boolean {
  if (migration === undefined || pod?.uid === undefined) return false;
  const { from, to } = migration;
  return isHolder(from, holder)
    ? isSamePod(to, pod)
    : holder.pod?.uid === to.uid && isSamePod(from, pod);
}

function isHolder(from: OpenMigration["from"], { node, pod }: Holder): boolean {
  return node === from.node && pod?.uid === from.uid;
}

function isSamePod(
  one: OpenMigration["to"],
  { namespace, name, uid }: NonNullable<AttachAsk["pod"]>,
): boolean {
  return one.uid === uid && one.namespace === namespace && one.name === name;
}
