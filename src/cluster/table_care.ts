/** Keeps this node's forwarding tables from leading to where a workload is no more. */

import type { Attachments } from "../agent/attachments.ts";
import type { LanRegistry } from "../agent/lan_registry.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { derivedMac } from "../plan/identity.ts";
import { SpokeMoves, type SpokePlace } from "./spoke_moves.ts";

export interface TableCareOptions {
  readonly node: string;
  readonly kernel: Pick<Kernel, "forgetNode" | "learnedFrom">;
  readonly registry: Pick<LanRegistry, "get">;
  readonly attachments: Pick<Attachments, "all" | "ofLan">;
  /** What the other nodes hold; undefined until all have been heard. */
  readonly others: () => readonly SpokePlace[] | undefined;
  readonly log: Log;
}

type LanAct<T> = (
  kernel: TableCareOptions["kernel"],
  at: { readonly path: string; readonly vxlan: string; readonly mac: string; readonly lan: string },
) => T;

/**
 * A workload that talks shows where it is; one that is silent would be looked for on its old node
 * until the tables age, which takes minutes. So when a spoke has left a node and another node has it,
 * everything that was learned of the old one in that LAN is forgotten: addresses behind the workload
 * are not known by any list. Which entries are of the old node is seen by the workload's own address,
 * before somebody else has it too.
 */
export class TableCare {
  readonly #options: TableCareOptions;
  readonly #moves: SpokeMoves;
  /** Where workloads were, by place, when others came to share their spokes. */
  readonly #vteps = new Map<string, string>();
  #own = "";

  /** With what was known of other nodes when the agent last ran. */
  constructor(options: TableCareOptions, before: Iterable<SpokePlace>) {
    this.#options = options;
    this.#moves = new SpokeMoves([...before, ...this.#ownPlaces()]);
  }

  /** To be called when this node may hold other spokes. */
  attachmentsChanged(): void {
    const own = this.#ownPlaces().map(({ lanId, spoke }) => `${lanId} ${spoke}`).join();
    if (own === this.#own) return;
    this.#own = own;
    this.look();
  }

  /** To be called when other nodes hold other spokes. */
  look(): void {
    const { node, registry, others } = this.#options;
    const elsewhere = others();
    if (elsewhere === undefined) return;
    const now = [...elsewhere, ...this.#ownPlaces()];
    const isKnown = (lanId: string) => registry.get(lanId) !== undefined;
    const { shared, left } = this.#moves.update(now, isKnown);
    for (const place of shared) if (place.node !== node) this.#locate(place);
    for (const place of left) if (place.node !== node) this.#forget(place);
  }

  #ownPlaces(): SpokePlace[] {
    const { node, attachments } = this.#options;
    return [...attachments.all()].flatMap(({ lanId, spoke, details }) => {
      if (spoke === undefined) return [];
      const mac = details?.mac === undefined ? {} : { mac: details.mac };
      return { ...{ lanId, spoke, node }, ...mac };
    });
  }

  #locate(place: SpokePlace): void {
    const vtep = this.#inLan(place, (kernel, { path, vxlan, mac }) => {
      return kernel.learnedFrom(path, vxlan, mac);
    });
    if (vtep !== undefined) this.#vteps.set(placeKey(place), vtep);
  }

  #forget(place: SpokePlace): void {
    const key = placeKey(place);
    const vtep = this.#vteps.get(key);
    this.#vteps.delete(key);
    this.#inLan(place, (kernel, { path, vxlan, mac, lan }) => {
      const left = { mac, ...(vtep === undefined ? {} : { vtep }) };
      const forgotten = kernel.forgetNode(path, vxlan, left);
      const fields = { lan, spoke: place.spoke, left: place.node, forgotten };
      this.#options.log.info("Forgot what was learned of a node that a workload has left", fields);
    });
  }

  /** What `act` returns; undefined where the LAN is not, or it fails. */
  #inLan<T>(
    { lanId, spoke, mac = derivedMac(lanId, spoke) }: SpokePlace,
    act: LanAct<T>,
  ): T | undefined {
    const { kernel, registry, attachments, log } = this.#options;
    const path = attachments.ofLan(lanId)[0]?.netnsPath;
    const found = registry.get(lanId)?.lan;
    if (path === undefined || found === undefined) return undefined;
    const lan = found.metadata.name;
    try {
      return act(kernel, { path, vxlan: found.spec.vxlan, mac, lan });
    } catch (error) {
      // Tables age: what is missed costs minutes at worst.
      log.warn("Cannot forget what was learned of a node", { lan, spoke, error: describe(error) });
      return undefined;
    }
  }
}

function placeKey({ lanId, spoke, node }: SpokePlace): string {
  return `${lanId} ${spoke} ${node}`;
}
