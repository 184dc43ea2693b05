/** Who holds which spoke on other nodes, as their LANNode objects say. */

import { z } from "zod";
import type { DeepReadonly } from "../base/deep_readonly.ts";
import type { LanNodeObject } from "../kube/resources.ts";
import { markId } from "../plan/mark.ts";

const name = z.string().min(1).max(253);

/** A spoke that a workload of another node is attached to: what is worth remembering over a start. */
export const heldSpokeSchema = z.object({
  /** UID of the LAN. */
  lanUid: z.string().min(1).max(128),
  spoke: z.string().min(1).max(63),
  node: name,
  /** None: attached by hand. */
  pod: z.object({ namespace: name, name, uid: z.string().max(253).exactOptional() })
    .exactOptional(),
});

export type HeldSpoke = DeepReadonly<z.output<typeof heldSpokeSchema>>;

/** Where a spoke is held, and by whom. */
export type Holder = Pick<HeldSpoke, "node" | "pod">;

/**
 * The spokes that are held on nodes other than `node`, one entry each, in order. Where several
 * workloads claim one, the first by name of node, then of pod is the holder: every node that asks
 * gets the same answer, whatever the order of `nodes`.
 */
export function heldElsewhere(nodes: Iterable<LanNodeObject>, node: string): HeldSpoke[] {
  const found = new Map<string, { readonly held: HeldSpoke; readonly text: string }>();
  for (const { metadata, status } of nodes) {
    if (metadata.name === node) continue;
    for (const { lanUid, spoke, pod } of status?.attachments ?? []) {
      if (spoke === undefined) continue;
      const key = keyOf(lanUid, spoke);
      const held = { lanUid, spoke, node: metadata.name, ...(pod === undefined ? {} : { pod }) };
      const text = textOf(held);
      const before = found.get(key);
      if (before === undefined || text < before.text) found.set(key, { held, text });
    }
  }
  // By code units, never by the machine's language: all nodes must agree.
  return [...found.values()].sort((a, b) => a.text < b.text ? -1 : 1).map(({ held }) => held);
}

export class Holders {
  readonly #node: string;
  #held: readonly HeldSpoke[] = [];
  /** The same as one text, to see what is new. */
  #text = "";
  #byKey: ReadonlyMap<string, HeldSpoke> = new Map();

  /** For the node of that name, whose own attachments are not elsewhere. */
  constructor(node: string) {
    this.#node = node;
  }

  /** All that is held elsewhere, to be remembered. */
  get held(): readonly HeldSpoke[] {
    return this.#held;
  }

  /** Takes all LANNode objects that there are; returns whether anything is held differently now. */
  update(nodes: Iterable<LanNodeObject>): boolean {
    return this.restore(heldElsewhere(nodes, this.#node));
  }

  /** Takes what `held` was earlier, until the API server answers; returns as `update` does. */
  restore(held: readonly HeldSpoke[]): boolean {
    const text = held.map(textOf).join("\n");
    if (text === this.#text) return false;
    this.#text = text;
    this.#held = held;
    this.#byKey = new Map(held.map((entry) => [keyOf(entry.lanUid, entry.spoke), entry]));
    return true;
  }

  /** Who holds a spoke of the LAN on another node; undefined if nobody does. */
  elsewhere(lanUid: string, spoke: string): Holder | undefined {
    const found = this.#byKey.get(keyOf(lanUid, spoke));
    if (found === undefined) return undefined;
    const { node, pod } = found;
    return { node, ...(pod === undefined ? {} : { pod }) };
  }
}

/** An agent that knows an attachment from its mark alone has a long UID only as it stands there. */
function keyOf(lanUid: string, spoke: string): string {
  return `${markId(lanUid)} ${spoke}`;
}

/** LAN and spoke first, then who holds it; different entries have different texts. */
function textOf({ lanUid, spoke, node, pod }: HeldSpoke): string {
  return [lanUid, spoke, node, pod?.namespace, pod?.name, pod?.uid].join("\0");
}
