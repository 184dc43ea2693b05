/** Keeps LANs on this node as they should be, whatever happened to them. */

import { textList } from "../base/text_list.ts";
import { describe } from "../base/errors.ts";
import type { KeyedMutex } from "../base/keyed_mutex.ts";
import type { Log } from "../base/log.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { lanName, underlayName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";
import type { NetOp } from "../plan/ops.ts";
import type { WantedAttachment, WantedLan } from "../plan/wanted.ts";
import { type Attachment, attachmentKey, requireUnmoved, wantedAttachment } from "./attachment.ts";
import type { AttachmentRecords } from "./attachment_records.ts";
import type { AttachService } from "./attach_service.ts";
import type { Attachments } from "./attachments.ts";
import type { DriftWatch } from "./drift_watch.ts";
import type { ForeignVxlans } from "./foreign_vxlans.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { LanRegistry } from "./lan_registry.ts";
import { takeOver } from "./take_over.ts";
import type { TapIndexes } from "./tap_indexes.ts";
import { unpinned } from "./unpinned.ts";

export interface ReconcilerDependencies {
  readonly node: string;
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly registry: LanRegistry;
  readonly attachments: Attachments;
  readonly records: AttachmentRecords;
  readonly taps: TapIndexes;
  readonly service: AttachService;
  readonly mutex: KeyedMutex;
  readonly drift: DriftWatch;
  readonly foreign: Pick<ForeignVxlans, "conditions">;
  /** Called after `conditions()` of a LAN has become something else. */
  readonly noted?: () => void;
  readonly log: Log;
}

export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  /** What the last pass found, by LAN. */
  readonly #conditions = new Map<string, readonly Condition[]>();
  /** By what device and address of this node others reach a LAN, as far as they were told. */
  readonly #reachedBy = new Map<string, string>();
  /** Attachments that were made anew and have not got their addresses back yet. */
  readonly #bare = new Set<string>();

  constructor(deps: ReconcilerDependencies) {
    this.#deps = deps;
  }

  /** What is wrong with the LAN here, used or not: what was found last, and what VXLANs of others do. */
  conditions(lanId: string): readonly Condition[] {
    const { registry, foreign } = this.#deps;
    const lan = registry.accepted(lanId);
    return [...this.#found(lanId), ...lan === undefined ? [] : foreign.conditions(lan)];
  }

  #found(lanId: string): readonly Condition[] {
    return this.#conditions.get(lanId) ?? [];
  }

  /**
   * Looks at one LAN and mends what is not right; says whether all of it could be mended. May be
   * called at any time, any number of times.
   */
  reconcile(lanId: string): Promise<boolean> {
    return this.#deps.mutex.run(lanId, async () => {
      const { service, attachments, drift, log } = this.#deps;
      try {
        await service.sweep(lanId);
        await this.#tidy(lanId);
        if (attachments.ofLan(lanId).length > 0) return await this.#mend(lanId);
        drift.untrack(lanId);
        this.#reachedBy.delete(lanId);
        this.#note(lanId, []);
        return true;
      } catch (error) {
        this.#note(lanId, [{ reason: "ReconcileFailed", message: describe(error) }]);
        log.warn("Cannot mend LAN", { lanId, error: describe(error) });
        return false;
      }
    });
  }

  /**
   * Removes what an undo could not, and a LAN that should have gone with its last attachment. What
   * is attached and not known, because it could not be read before, is taken over.
   */
  async #tidy(lanId: string): Promise<void> {
    const { registry, attachments, builder, records } = this.#deps;
    const [held] = attachments.ofLan(lanId);
    const lan = registry.get(lanId)?.lan;
    const name = held?.lan ?? (lan && lanName(lan));
    const path = held?.netnsPath ?? (lan && builder.netnsPath(lan));
    if (name === undefined || path === undefined) return;
    const { netns, links } = builder.observe(path, []);
    if (netns.state === "ours" && netns.mark.lan === lanId) {
      for (const port of takeOver(this.#deps, path, netns.mark, links, () => records.readAll())) {
        await builder.detach(name, path, lanId, port);
      }
    }
    if (attachments.ofLan(lanId).length === 0) await builder.remove(name, path, lanId);
  }

  async #mend(lanId: string): Promise<boolean> {
    const { registry, attachments, builder, node } = this.#deps;
    const lan = registry.accepted(lanId);
    // No longer configured or accepted: what is attached goes on, as it is, until it is detached.
    if (lan === undefined) return true;
    const held = attachments.ofLan(lanId);
    requireUnmoved(lanName(lan), builder.netnsPath(lan), held);
    const netnsId = this.#track(lan, held);
    const wanted = builder.wanted(
      lan,
      held.flatMap((attachment) => wantedAttachment(attachment, node) ?? []),
    );
    const failures = await this.#converge(wanted);
    // One that was missing has been made.
    if (netnsId === undefined) this.#track(lan, held);
    await builder.rejoinGroup(wanted);
    this.#announce(lanId, wanted);
    this.#note(lanId, [
      ...wanted.conditions.map(({ reason, message }) => ({ reason, message })),
      ...oversized(held, wanted.vxlan?.mtu, lan),
      ...unpinned(wanted, held, () => builder.observe(wanted.netns.path, []).filters),
      ...spokeless(held, lan),
      ...failures,
    ]);
    return failures.length === 0;
  }

  /**
   * Mends everything at once. Where that fails, the LAN itself and then ever smaller parts of what
   * is attached, so that what one workload does to its interface is no other's trouble.
   */
  async #converge(wanted: WantedLan): Promise<Condition[]> {
    const { attachments } = wanted;
    try {
      await this.#do(wanted);
      return [];
    } catch (error) {
      const [first] = attachments;
      if (first === undefined) throw error;
      await this.#do({ ...wanted, attachments: [] });
      if (attachments.length === 1) return [brokenAttachment(wanted.lan, first, error)];
    }
    const middle = attachments.length >> 1;
    return [
      ...await this.#converge({ ...wanted, attachments: attachments.slice(0, middle) }),
      ...await this.#converge({ ...wanted, attachments: attachments.slice(middle) }),
    ];
  }

  async #do(wanted: WantedLan): Promise<void> {
    const { builder, kernel, attachments, log } = this.#deps;
    const ops = builder.missing(wanted);
    const { lan } = wanted;
    const remade = wanted.attachments.filter((attachment) => isRemade(attachment, ops));
    for (const attachment of remade) this.#bare.add(attachmentKey(attachment));
    try {
      await builder.apply(lan, ops);
    } catch (error) {
      // What is half-made would pass for whole: the next pass is to find none of it.
      for (const { port } of remade) {
        await builder.detach(lan, wanted.netns.path, markId(wanted.uid), port).catch((cause) => {
          log.warn("Cannot remove what is half-made", { lan, port, error: describe(cause) });
        });
      }
      throw error;
    }
    if (ops.length > 0) log.info("Mended LAN", { lan, operations: ops.length });
    for (const { containerId, ifname, target } of wanted.attachments) {
      const key = attachmentKey({ containerId, ifname });
      const details = attachments.get(key)?.details;
      if (!this.#bare.has(key) || target === undefined || details === undefined) continue;
      kernel.configure(target, ifname, details.ips, details.routes);
      this.#bare.delete(key);
      log.warn("Interface was gone and has been made anew; an open tap must be opened again", {
        ...{ lan, ifname, container: containerId },
      });
    }
  }

  /** Tells other nodes when they reach the LAN's stations by another device or address than before. */
  #announce(lanId: string, { lan, netns, vxlan }: WantedLan): void {
    const { kernel, log } = this.#deps;
    if (vxlan === undefined) return;
    const { addresses = [] } = kernel.underlay(vxlan.underlay.name) ?? {};
    if (addresses.length === 0) return;
    // All of them: while there are two, frames may still come from the one that is going.
    const way = [vxlan.underlay.index, ...addresses].join(" ");
    if (this.#reachedBy.get(lanId) === way) return;
    // Whatever comes of it: stations are found without it too, as soon as they say something.
    this.#reachedBy.set(lanId, way);
    try {
      const stations = kernel.announce(netns.path, vxlan.name);
      if (stations > 0) {
        log.info("Announced where stations are reached", { lan, addresses, stations });
      }
    } catch (error) {
      log.warn("Cannot announce where stations are reached", { lan, error: describe(error) });
    }
  }

  /**
   * Before looking, so that what changes after the look is an event. Returns the id of the LAN's
   * namespace if there is one.
   */
  #track(lan: Lan, held: readonly Attachment[]): number | undefined {
    const { drift, kernel, builder, node } = this.#deps;
    const name = underlayName(lan.spec, node);
    const index = name === undefined ? undefined : kernel.underlay(name)?.index;
    const netnsId = kernel.netnsId(builder.netnsPath(lan));
    drift.track(markId(lan.metadata.uid), {
      netnsId,
      underlay: name === undefined
        ? undefined
        : { name, ...(index === undefined ? {} : { index }) },
      spokes: held.flatMap(({ attach, spoke }) => attach === "macvtap" ? spoke ?? [] : []),
    });
    return netnsId;
  }

  #note(lanId: string, conditions: readonly Condition[]): void {
    const before = this.#found(lanId);
    if (conditions.length === 0) this.#conditions.delete(lanId);
    else this.#conditions.set(lanId, conditions);
    if (JSON.stringify(conditions) !== JSON.stringify(before)) this.#deps.noted?.();
    if (reasons(conditions) === reasons(before)) return;
    for (const condition of conditions) this.#deps.log.warn("Condition", { ...condition });
    if (conditions.length === 0) this.#deps.log.info("Conditions cleared", { lanId });
  }
}

function reasons(conditions: readonly Condition[]): string {
  return conditions.map(({ reason }) => reason).join();
}

function isRemade({ target, ifname }: WantedAttachment, ops: readonly NetOp[]): boolean {
  return ops.some((op) =>
    (op.op === "create-macvtap" || op.op === "create-veth") && op.at === target &&
    op.name === ifname
  );
}

function brokenAttachment(
  lan: string,
  { ifname, containerId, spoke }: WantedAttachment,
  error: unknown,
): Condition {
  return {
    reason: "AttachmentBroken",
    message: `Interface "${ifname}" of container "${containerId}" on LAN "${lan}"${
      spoke === undefined ? "" : `, spoke "${spoke}",`
    } is not as it should be and cannot be mended: ${describe(error)}`,
  };
}

/** A workload keeps what it has when its spoke goes from the LAN; what that means is said. */
function spokeless(held: readonly Attachment[], lan: Lan): Condition[] {
  const spokes = new Set(lan.spec.spokes);
  const affected = held.flatMap(({ spoke }) =>
    spoke === undefined || spokes.has(spoke) ? [] : `"${spoke}"`
  );
  if (affected.length === 0) return [];
  return [{
    reason: "SpokeRemoved",
    message: `LAN "${lanName(lan)}" has no ${
      textList(affected, SHOWN)
    } in spec.spokes any more, but workloads on this node are attached there; they stay until they are detached, so add the spokes again or delete the workloads`,
  }];
}

/** Attachments that a message names. */
const SHOWN = { most: 5 };

/** Interfaces of workloads keep the MTU they were given; what no longer fits is said, not changed. */
function oversized(
  held: readonly Attachment[],
  mtu: number | undefined,
  lan: Lan,
): Condition[] {
  const affected = held.filter(({ details }) => mtu !== undefined && (details?.mtu ?? 0) > mtu);
  if (affected.length === 0) return [];
  const names = affected.map(({ spoke, containerId }) => `"${spoke ?? containerId}"`);
  return [{
    reason: "AttachmentMtuTooLarge",
    message: `LAN "${
      lanName(lan)
    }" now carries ${mtu} bytes on this node, less than the MTU of what is attached to it: ${
      textList(names, SHOWN)
    }; lower theirs or raise ${mtu === lan.spec.mtu ? "spec.mtu" : "the underlay's"}`,
  }];
}
