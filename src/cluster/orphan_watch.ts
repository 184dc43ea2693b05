/**
 * Finds attachments whose pod kubelet no longer knows while the pod's namespace lives on.
 *
 * An attachment goes with its namespace, whether or not anybody detaches it. A namespace whose
 * sandbox the container runtime lost track of stays for ever, and holds the spoke. It is only
 * reported, never detached: neither kubelet's word nor what the agent sees proves that nothing runs
 * there. Started anew while the API server is away, kubelet knows no pod that runs; deleted by force,
 * a pod is forgotten before its containers have ended; and the processes of a pod are out of sight
 * from the agent's own.
 */

import { type Attachment, attachmentKey, type PodIdentity } from "../agent/attachment.ts";
import type { Condition } from "../api/agent_protocol.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { PodName, PodResources } from "../deviceplugin/pod_resources.ts";
import { keyText } from "../kube/objects.ts";

/** How often kubelet is asked, while anything is attached. */
const LOOK_MS = 60_000;
/** Two looks so far apart must have missed a pod: it may be on its way out. */
const GRACE_MS = 120_000;
/** Most orphans that are told of one by one. */
const SHOWN_MAX = 8;

export interface OrphanWatchOptions {
  readonly node: string;
  readonly attachments: () => Iterable<Attachment>;
  readonly resources: Pick<PodResources, "pods">;
  readonly log: Log;
  /** Called after `problems` may have become others. */
  readonly changed?: () => void;
  readonly clock?: Clock;
}

/** When a pod was missed first, and last; milliseconds. */
interface Missed {
  readonly first: number;
  readonly last: number;
}

export class OrphanWatch {
  readonly #options: OrphanWatchOptions;
  readonly #clock: Clock;
  /** By attachment. */
  #missed: ReadonlyMap<string, Missed> = new Map();

  constructor(options: OrphanWatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** One "AttachmentOrphaned" for each orphan that is still attached; many of them are counted. */
  problems(): readonly Condition[] {
    const orphans = [...this.#options.attachments()].filter((attachment) =>
      isOrphan(this.#missed.get(attachmentKey(attachment)))
    );
    const problems = orphans.slice(0, SHOWN_MAX).map(orphaned);
    const rest = orphans.length - problems.length;
    if (rest > 0) problems.push(condition(`There are ${rest} more attachments of such pods`));
    return problems;
  }

  /** Looks from time to time until `signal` fires. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { attachments, resources, node, log, changed } = this.#options;
    const before = this.#missed;
    if (![...attachments()].some((attachment) => podOf(attachment) !== undefined)) {
      this.#missed = new Map();
      return;
    }
    let pods: readonly PodName[];
    try {
      pods = await resources.pods();
    } catch (error) {
      log.debug("Cannot ask kubelet for its pods", { error: describe(error) });
      return;
    }
    if (!isInformed(pods, node)) return;
    this.#missed = missedPods(before, attachments(), pods, this.#clock.now());
    for (const attachment of attachments()) {
      const key = attachmentKey(attachment);
      if (isOrphan(before.get(key)) || !isOrphan(this.#missed.get(key))) continue;
      log.warn("Problem", { ...orphaned(attachment) });
    }
    changed?.();
  }
}

/**
 * Whether kubelet has heard from the API server since it started: until then it knows only the pods
 * that it has from files, whose names end with the node's. A list without any other pod tells
 * nothing; where the agent itself is a pod, it is one.
 */
export function isInformed(pods: readonly PodName[], node: string): boolean {
  return pods.some(({ name }) => !name.endsWith(`-${node}`));
}

/**
 * The attachments whose pod is not among `pods`, and since when. Of attachments that were made by
 * hand, or whose pod has no UID, kubelet knows nothing.
 */
export function missedPods(
  before: ReadonlyMap<string, Missed>,
  attachments: Iterable<Attachment>,
  pods: readonly PodName[],
  now: number,
): Map<string, Missed> {
  const known = new Set(pods.map(keyText));
  const missed = new Map<string, Missed>();
  for (const attachment of attachments) {
    const pod = podOf(attachment);
    if (pod === undefined || known.has(keyText(pod))) continue;
    const key = attachmentKey(attachment);
    missed.set(key, { first: before.get(key)?.first ?? now, last: now });
  }
  return missed;
}

function podOf({ details }: Attachment): PodIdentity | undefined {
  return details?.pod?.uid === undefined ? undefined : details.pod;
}

function isOrphan(missed: Missed | undefined): boolean {
  return missed !== undefined && missed.last - missed.first >= GRACE_MS;
}

function orphaned({ containerId, ifname, lan, spoke, details }: Attachment): Condition {
  const place = spoke === undefined ? `LAN "${lan}"` : `spoke "${spoke}" of LAN "${lan}"`;
  const pod = details?.pod === undefined ? "a pod" : `pod "${keyText(details.pod)}"`;
  return condition(
    `Interface "${ifname}" of ${pod} is attached to ${place}, but kubelet does not know the pod ` +
      "any more; if nothing of it runs, remove its sandbox, or run " +
      `"k8slan detach --id ${containerId} --ifname ${ifname}" on this node`,
  );
}

function condition(message: string): Condition {
  return { reason: "AttachmentOrphaned", message };
}
