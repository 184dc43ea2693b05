/** Network attachment definitions of LANs that are gone: left over where a finalizer was removed by hand. */

import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { keyOf, keyText, parseKey } from "../kube/objects.ts";
import { LANS } from "../kube/resources.ts";
import type { ClusterView } from "./cluster_view.ts";
import { removeNetwork } from "./network_writer.ts";
import { lanUidOf } from "./networks.ts";

export interface StrayNetworksOptions {
  readonly view: ClusterView;
  /** The leader's. */
  readonly api: KubeApi;
  readonly log: Log;
}

const DEADLINE_MS = 10_000;

export class StrayNetworks {
  readonly #options: StrayNetworksOptions;

  constructor(options: StrayNetworksOptions) {
    this.#options = options;
  }

  /** To be run by a reconciler, with the key of a network attachment definition; see `Reconcile`. */
  async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const { view, api, log } = this.#options;
    const found = view.networks.get(parseKey(key));
    const lanUid = found === undefined ? undefined : lanUidOf(found);
    if (found === undefined || lanUid === undefined || view.isLiving(lanUid)) return;
    const call = { signal, deadlineMs: DEADLINE_MS };
    // The two watches don't keep step: the LAN may be younger than what is known.
    const lan = lanIn(found.spec?.config);
    if (lan !== undefined) {
      const living = await api.get(LANS, parseKey(lan), call);
      if (living?.metadata.uid === lanUid) return;
    }
    await removeNetwork(api, found, call);
    log.info("Deleted what was left of a LAN", { network: keyText(keyOf(found)), lanUid });
  }
}

/** `namespace/name` of the LAN in a CNI configuration. */
function lanIn(config: string | undefined): string | undefined {
  try {
    const lan: unknown = JSON.parse(config ?? "")?.lan;
    return typeof lan === "string" && /^[a-z0-9-]+\/[a-z0-9-]+$/.test(lan) ? lan : undefined;
  } catch {
    return undefined;
  }
}
