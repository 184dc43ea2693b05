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
  readonly kernel: Pick<Kernel, "forgetNode">;
  readonly registry: Pick<LanRegistry, "get">;
  readonly attachments: Pick<Attachments, "all" | "ofLan">;
  /** What the other nodes hold; undefined until all have been heard. */
  readonly others: () => readonly SpokePlace[] | undefined;
  readonly log: Log;
}

/**
 * A workload that talks shows where it is; one that is silent would be looked for on its old node
 * until the tables age, which takes minutes. So when a spoke has left a node and another node has it,
 * everything that was learned of the old one in that LAN is forgotten: addresses behind the workload
 * are not known by any list.
 */
export class TableCare {
  readonly #options: TableCareOptions;
  readonly #moves: SpokeMoves;
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
    const left = this.#moves.update(now, (lanId) => registry.get(lanId) !== undefined);
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

  #forget({ lanId, spoke, node, mac = derivedMac(lanId, spoke) }: SpokePlace): void {
    const { kernel, registry, attachments, log } = this.#options;
    const path = attachments.ofLan(lanId)[0]?.netnsPath;
    const lan = registry.get(lanId)?.lan;
    if (path === undefined || lan === undefined) return;
    const fields = { lan: lan.metadata.name, spoke, left: node };
    try {
      const forgotten = kernel.forgetNode(path, lan.spec.vxlan, { mac });
      log.info("Forgot what was learned of a node that a workload has left", {
        ...fields,
        forgotten,
      });
    } catch (error) {
      // Tables age: what is missed costs minutes at worst.
      log.warn("Cannot forget what was learned of a node", { ...fields, error: describe(error) });
    }
  }
}
