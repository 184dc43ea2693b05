/** Answers whether a LAN may be written, and looks again before it says no. */

import type { Lan } from "../api/lan.ts";
import { validateLan } from "../api/lan.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { LAN_NODES, type LanNodeObject, LANS } from "../kube/resources.ts";
import type { LanRef } from "../plan/acceptance.ts";
import { lanReport } from "./lan_report.ts";
import { type AdmissionDecision, decideAdmission, type KnownLans } from "./webhook_decision.ts";
import type { AdmissionAsk } from "./webhook_review.ts";

export interface LanAdmissionOptions {
  readonly known: () => KnownLans;
  readonly api: Pick<KubeApi, "get">;
  readonly log: Log;
}

/** LANs, and nodes, looked at again for one answer, and how long each may take, of the 3 s that there are. */
const LOOKS_MAX = 3;
const LOOK_MS = 700;

export class LanAdmission {
  readonly #options: LanAdmissionOptions;

  constructor(options: LanAdmissionOptions) {
    this.#options = options;
  }

  /**
   * The decision on `ask`. What is known may be a minute old after a broken connection: a LAN that
   * stands in the way is read anew, so that nobody is refused for one that has just been deleted.
   */
  async decide(ask: AdmissionAsk): Promise<AdmissionDecision> {
    let known = this.#options.known();
    let decision = decideAdmission(ask, known);
    for (let looks = 0; looks < LOOKS_MAX && decision.rival !== undefined; looks++) {
      const { rival } = decision;
      const now = await this.#read(rival);
      if (now === "unknown") break;
      const seen = known.lans.find(({ metadata }) => metadata.uid === rival.uid);
      if (now !== undefined && seen !== undefined && isSame(now, seen)) break;
      const others = known.lans.filter(({ metadata }) => metadata.uid !== rival.uid);
      known = { ...known, lans: now === undefined ? others : [...others, now] };
      decision = decideAdmission(ask, known);
    }
    if (decision.nodes === undefined) return decision;
    return decideAdmission(ask, await this.#lookAgainAt(decision.nodes.slice(0, LOOKS_MAX), known));
  }

  /** What is known, with what the agents of these nodes say now: a workload may just have gone. */
  async #lookAgainAt(nodes: readonly string[], known: KnownLans): Promise<KnownLans> {
    const reports = new Map(
      await Promise.all(nodes.map(async (node) => [node, await this.#readNode(node)] as const)),
    );
    return {
      ...known,
      workloads: (lanUid) => [
        ...known.workloads(lanUid).filter(({ node }) => reports.get(node) === undefined),
        ...lanReport(lanUid, [...reports.values()].flatMap((report) => report ?? [])).workloads,
      ],
    };
  }

  /** The LANNode of that name, if there is one; undefined when it can't be read. */
  async #readNode(name: string): Promise<readonly LanNodeObject[] | undefined> {
    const { api, log } = this.#options;
    try {
      const object = await api.get(LAN_NODES, { name }, { deadlineMs: LOOK_MS });
      return object === undefined ? [] : [object];
    } catch (error) {
      log.debug("A LANNode can't be read anew", { node: name, error: describe(error) });
      return undefined;
    }
  }

  /** The LAN as it is now; undefined if it is gone or not valid any more. */
  async #read({ namespace, name, uid }: LanRef): Promise<Lan | undefined | "unknown"> {
    const { api, log } = this.#options;
    try {
      const object = await api.get(LANS, { namespace, name }, { deadlineMs: LOOK_MS });
      const validation = validateLan(object);
      return "lan" in validation && validation.lan.metadata.uid === uid
        ? validation.lan
        : undefined;
    } catch (error) {
      log.debug("A LAN can't be read anew", {
        lan: `${namespace}/${name}`,
        error: describe(error),
      });
      return "unknown";
    }
  }
}

function isSame(one: Lan, other: Lan): boolean {
  return JSON.stringify([one.spec, one.metadata]) === JSON.stringify([other.spec, other.metadata]);
}
