/** The controller without its surroundings: watches all the time, and leads when it is its turn. */

import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { FencedKubeApi } from "../kube/fenced_kube_api.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { runAsLeader } from "../kube/leader.ts";
import type { LeaderTerm } from "../kube/leader_term.ts";
import type { LeaseTiming } from "../kube/lease_step.ts";
import type { ObjectKey } from "../kube/objects.ts";
import { ClusterView } from "./cluster_view.ts";
import { type Counters, newCounters } from "./counters.ts";
import { Leading } from "./leading.ts";

export interface ControllerOptions {
  readonly api: KubeApi;
  /** For the lease alone: a renewal must not wait behind other requests. */
  readonly leaseApi: KubeApi;
  readonly lease: ObjectKey & { readonly namespace: string };
  /** Of this process alone, never used again. */
  readonly identity: string;
  /** Whether a holder of the lease is known to have ended. */
  readonly hasEnded?: (holder: string) => boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly timing?: LeaseTiming;
  readonly clock?: Clock;
}

export class Controller {
  readonly view: ClusterView;
  readonly counters: Counters = newCounters();
  readonly #options: ControllerOptions;
  #leading: Leading | undefined;
  #leaderApi: KubeApi | undefined;

  constructor(options: ControllerOptions) {
    const { api, log, lease: { namespace }, clock = systemClock } = options;
    this.#options = options;
    this.view = new ClusterView({
      ...{ api, log, clock, namespace },
      onTrouble: () => this.counters.watchTroubles++,
    });
  }

  get isLeader(): boolean {
    return this.#leading !== undefined;
  }

  get leaderApi(): KubeApi | undefined {
    return this.#leaderApi;
  }

  get queueLength(): number {
    return this.#leading?.queueLength ?? 0;
  }

  /**
   * Runs until the signal fires ("ended", with the lease released) or until leadership is "lost":
   * the process shall end then, since nobody can tell what it still has under way.
   */
  async run(): Promise<"ended" | "lost"> {
    const { leaseApi, lease, identity, hasEnded, signal, log, timing, clock } = this.#options;
    const stop = new AbortController();
    const onEnd = () => stop.abort();
    signal.addEventListener("abort", onEnd);
    if (signal.aborted) onEnd();
    // Blind, nobody shall lead.
    const watching = this.view.run(stop.signal).finally(onEnd);
    try {
      await Promise.race([this.view.synced, watching]);
      const outcome = await runAsLeader({
        ...{ api: leaseApi, lease, identity, signal: stop.signal, log },
        ...(hasEnded === undefined ? {} : { hasEnded }),
        ...(timing === undefined ? {} : { timing }),
        ...(clock === undefined ? {} : { clock }),
      }, (term) => this.#lead(term));
      onEnd();
      await watching;
      return outcome;
    } finally {
      signal.removeEventListener("abort", onEnd);
      onEnd();
    }
  }

  async #lead(term: LeaderTerm): Promise<void> {
    const { view, counters } = this;
    const { api: unfenced, identity, log, clock } = this.#options;
    const api = new FencedKubeApi(unfenced, term);
    this.#leaderApi = api;
    this.#leading = new Leading({
      ...{ view, api, counters, identity, log },
      ...(clock === undefined ? {} : { clock }),
    });
    try {
      await this.#leading.run(term.signal);
    } finally {
      this.#leading = undefined;
      this.#leaderApi = undefined;
    }
  }
}
