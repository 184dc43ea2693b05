/**
 * Finds pods that hold a spoke's device and are not attached to the spoke: most of them name no network.
 *
 * Their containers cannot start, since it is the attachment that makes the device file, and the
 * container runtime says no more than that the file is not there. Kubelet asks for a device without
 * telling for which pod; some seconds later it is asked who has it, unless the spoke was attached meanwhile.
 */

import type { Attachment } from "../agent/attachment.ts";
import type { Attachments } from "../agent/attachments.ts";
import type { LanRegistry } from "../agent/lan_registry.ts";
import type { UnattachedOnNode } from "../api/lan_node.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { HeldDevice, PodName, PodResources } from "../deviceplugin/pod_resources.ts";
import { keyText } from "../kube/objects.ts";
import { lanName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";
import { isDeviceOf } from "./device_offers.ts";

/** Pauses before each look: an attachment takes less than the first, and kubelet may list a pod late. */
const LOOKS_MS = [5_000, 15_000, 45_000];
/** Told for so long: enough for a controller that takes over. Nobody says when the pod goes. */
const TOLD_MS = 300_000;

export interface UnattachedWatchOptions {
  readonly registry: Pick<LanRegistry, "ofSpoke">;
  readonly attachments: Pick<Attachments, "holder">;
  readonly resources: Pick<PodResources, "list">;
  /** Called after `found()` may have become something else. */
  readonly changed: () => void;
  readonly log: Log;
  readonly clock?: Clock;
}

interface Allocation {
  /** Whose attachment it was when the device was given: that of the pod before. */
  readonly former: string | undefined;
  /** Pods whose attachments failed since: they have been told why. */
  readonly failed: Set<string>;
  readonly over: AbortController;
  found?: UnattachedOnNode;
}

export class UnattachedWatch implements Disposable {
  readonly #options: UnattachedWatchOptions;
  readonly #clock: Clock;
  /** The newest of each spoke, while there is something to look for or to tell. */
  readonly #allocations = new Map<string, Allocation>();

  constructor(options: UnattachedWatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** What was found lately and holds still, as far as is known. */
  found(): readonly UnattachedOnNode[] {
    return [...this.#allocations.values()].flatMap(({ found }) =>
      found !== undefined && this.#holdsStill(found) ? found : []
    );
  }

  /** Kubelet has given the device of a spoke to a pod; it won't say so again. */
  allocated(spoke: string): void {
    this.#end(spoke, this.#allocations.get(spoke));
    const allocation: Allocation = {
      former: this.#holder(spoke)?.containerId,
      failed: new Set(),
      over: new AbortController(),
    };
    this.#allocations.set(spoke, allocation);
    this.#follow(spoke, allocation);
  }

  attachFailed(pod: PodName): void {
    for (const { failed } of this.#allocations.values()) failed.add(keyText(pod));
  }

  /**
   * To be called when something was attached or detached. Who was attached once has done its part: it may
   * be detached by the time of the next look, and kubelet still tell of its pod.
   */
  attachmentsChanged(): void {
    for (const [spoke, allocation] of this.#allocations) {
      const holder = this.#holder(spoke);
      if (holder !== undefined && holder.containerId !== allocation.former) {
        this.#end(spoke, allocation);
      }
    }
  }

  [Symbol.dispose](): void {
    for (const { over } of this.#allocations.values()) over.abort();
    this.#allocations.clear();
  }

  async #follow(spoke: string, allocation: Allocation): Promise<void> {
    const { signal } = allocation.over;
    for (const pauseMs of LOOKS_MS) {
      await this.#clock.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const seen = await this.#look(spoke, allocation);
      if (signal.aborted) return;
      if (seen === "nothing") break;
      if (seen === "unknown") continue;
      allocation.found = seen;
      this.#options.changed();
      await this.#clock.sleep(TOLD_MS, signal);
      if (signal.aborted) return;
      break;
    }
    this.#end(spoke, allocation);
  }

  async #look(
    spoke: string,
    { failed }: Allocation,
  ): Promise<UnattachedOnNode | "nothing" | "unknown"> {
    const { registry, log } = this.#options;
    const lan = registry.ofSpoke(spoke);
    if (lan === undefined) return "nothing";
    if (this.#holder(spoke) !== undefined) return "nothing";
    const device = await this.#device(spoke);
    if (device === undefined) return "unknown";
    const pod = { namespace: device.namespace, name: device.pod };
    // After kubelet's answer, which took its time.
    if (this.#holder(spoke) !== undefined || failed.has(keyText(pod))) return "nothing";
    log.info("A pod holds a device and is not attached yet", { lan: lanName(lan), spoke, pod });
    return { lanUid: lan.metadata.uid, spoke, pod };
  }

  async #device(spoke: string): Promise<HeldDevice | undefined> {
    const { resources, log } = this.#options;
    try {
      return (await resources.list()).find(isDeviceOf(spoke));
    } catch (error) {
      log.debug("Cannot ask kubelet who holds a device", { spoke, error: describe(error) });
      return undefined;
    }
  }

  #holder(spoke: string): Attachment | undefined {
    const { registry, attachments } = this.#options;
    const lan = registry.ofSpoke(spoke);
    return lan === undefined ? undefined : attachments.holder(markId(lan.metadata.uid), spoke);
  }

  #holdsStill({ lanUid, spoke }: UnattachedOnNode): boolean {
    const isSameLan = this.#options.registry.ofSpoke(spoke)?.metadata.uid === lanUid;
    return isSameLan && this.#holder(spoke) === undefined;
  }

  #end(spoke: string, allocation: Allocation | undefined): void {
    if (allocation === undefined) return;
    allocation.over.abort();
    this.#allocations.delete(spoke);
    if (allocation.found !== undefined) this.#options.changed();
  }
}
