/** Answers what a pod that is about to be made lacks, for which it may ask the API server. */

import { RESOURCE_NAME_ANNOTATION } from "../api/names.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { keyText } from "../kube/objects.ts";
import {
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
} from "../kube/resources.ts";
import { decidePod, type FoundNetwork, networksToRead, type PodDecision } from "./pod_decision.ts";
import type { NetworkKey } from "./pod_networks.ts";
import type { AdmissionAsk } from "./webhook_review.ts";

/** Of the 2 s that the API server waits, it may take so many milliseconds to read networks. */
const LOOK_MS = 1_000;
/** Of all pods together; what is beyond is not read, and its pod is told. */
const LOOKS_MAX = 32;

export interface PodAdmissionOptions {
  /** What is known of a network without asking: those of the controller's own. */
  readonly known: (key: NetworkKey) => NetworkAttachmentDefinition | undefined;
  /**
   * For those that people write, one by one. To watch all of the cluster's would keep in memory what
   * others have there for other plugins, at up to a megabyte each, for the few that pods of ours name.
   */
  readonly api: Pick<KubeApi, "get">;
  readonly log: Log;
}

export class PodAdmission {
  readonly #options: PodAdmissionOptions;
  /** Under way, by network: the replicas of a Deployment come at once and name the same one. */
  readonly #looks = new Map<string, Promise<FoundNetwork>>();

  constructor(options: PodAdmissionOptions) {
    this.#options = options;
  }

  async decide(ask: AdmissionAsk): Promise<PodDecision> {
    const networks = networksToRead(ask);
    if ("kind" in networks) return networks;
    const found = await Promise.all(networks.map((key) => this.#find(key)));
    return decidePod(ask, networks, found);
  }

  #find(key: NetworkKey): Promise<FoundNetwork> | FoundNetwork {
    const known = this.#options.known(key);
    if (known !== undefined) return foundOf(known);
    const name = keyText(key);
    const underWay = this.#looks.get(name);
    if (underWay !== undefined) return underWay;
    if (this.#looks.size >= LOOKS_MAX) return { state: "unread" };
    const look = this.#read(key).finally(() => this.#looks.delete(name));
    this.#looks.set(name, look);
    return look;
  }

  async #read(key: NetworkKey): Promise<FoundNetwork> {
    const { api, log } = this.#options;
    try {
      const options = { deadlineMs: LOOK_MS };
      const network = await api.get(NETWORK_ATTACHMENT_DEFINITIONS, key, options);
      return network === undefined ? { state: "absent" } : foundOf(network);
    } catch (error) {
      log.debug("A pod's network can't be read", { network: keyText(key), error: describe(error) });
      return { state: "unread" };
    }
  }
}

function foundOf({ metadata }: NetworkAttachmentDefinition): FoundNetwork {
  return { state: "found", resource: metadata.annotations?.[RESOURCE_NAME_ANNOTATION] };
}
