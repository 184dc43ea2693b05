/** To which nodes the frames of a LAN with a unicast underlay go, as their LANNode objects say. */

import { z } from "zod";
import type { LanNodeObject } from "../kube/resources.ts";
import { markId } from "../plan/mark.ts";
import { vtepAddress } from "../plan/vtep.ts";

/** A node that something is attached to a LAN on, and its address. */
export const lanPeerSchema = z.object({
  lanUid: z.string().min(1),
  node: z.string().min(1),
  vtep: z.string(),
});

export type LanPeer = Readonly<z.output<typeof lanPeerSchema>>;

/** What the nodes say, `own` left out, in an order that depends on nothing else. */
export function lanPeers(nodes: Iterable<LanNodeObject>, own: string): LanPeer[] {
  const peers: LanPeer[] = [];
  for (const { metadata, status } of nodes) {
    if (metadata.name === own) continue;
    for (const { uid, attached, vtep } of status?.lans ?? []) {
      const address = vtep === undefined ? undefined : vtepAddress(vtep);
      if (attached === 0 || address === undefined) continue;
      peers.push({ lanUid: uid, node: metadata.name, vtep: address });
    }
  }
  return peers.sort((one, other) => textOf(one) < textOf(other) ? -1 : 1);
}

/** Peers by LAN, and which LANs have others than before. */
export class ClusterPeers {
  readonly #node: string;
  #peers: readonly LanPeer[] = [];
  #byLan: ReadonlyMap<string, readonly string[]> = new Map();

  /** For the node of that name, which is nobody's peer here. */
  constructor(node: string) {
    this.#node = node;
  }

  /** All of them, to be remembered. */
  get peers(): readonly LanPeer[] {
    return this.#peers;
  }

  /** Addresses of the LAN's other nodes. */
  of(lanUid: string): readonly string[] {
    return this.#byLan.get(markId(lanUid)) ?? [];
  }

  /** Takes all LANNode objects that there are; returns the ids of LANs whose peers have changed. */
  update(nodes: Iterable<LanNodeObject>): string[] {
    return this.restore(lanPeers(nodes, this.#node));
  }

  /** Takes what `peers` was earlier, until the API server answers; returns as `update` does. */
  restore(peers: readonly LanPeer[]): string[] {
    const before = this.#byLan;
    this.#peers = peers;
    const byLan = Map.groupBy(peers, ({ lanUid }) => markId(lanUid));
    this.#byLan = new Map([...byLan].map(([id, peers]) => [id, addressesOf(peers)]));
    const ids = new Set([...before.keys(), ...this.#byLan.keys()]);
    return [...ids].filter((id) => `${before.get(id) ?? ""}` !== `${this.#byLan.get(id) ?? ""}`);
  }
}

function addressesOf(peers: readonly LanPeer[]): string[] {
  return [...new Set(peers.map(({ vtep }) => vtep))].sort();
}

function textOf({ lanUid, node, vtep }: LanPeer): string {
  return [lanUid, node, vtep].join("\0");
}
