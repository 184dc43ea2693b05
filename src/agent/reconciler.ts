/** Keeps LANs on this node as they should be, whatever happened to them. */

import { describe } from "../base/errors.ts";
import type { KeyedMutex } from "../base/keyed_mutex.ts";
import type { Log } from "../base/log.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { lanName, underlayName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";
import type { NetOp } from "../plan/ops.ts";
import { type Attachment, wantedAttachment } from "./attachment.ts";
import type { AttachService } from "./attach_service.ts";
import type { Attachments } from "./attachments.ts";
import type { DriftWatch } from "./drift_watch.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { LanRegistry } from "./lan_registry.ts";

export interface ReconcilerDependencies {
  readonly node: string;
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly registry: LanRegistry;
  readonly attachments: Attachments;
  readonly service: AttachService;
  readonly mutex: KeyedMutex;
  readonly drift: DriftWatch;
  readonly log: Log;
}

export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  /** What the last pass found, by LAN. */
  readonly #conditions = new Map<string, readonly Condition[]>();

  constructor(deps: ReconcilerDependencies) {
    this.#deps = deps;
  }

  conditions(lanId: string): readonly Condition[] {
    return this.#conditions.get(lanId) ?? [];
  }

  /** Looks at one LAN and mends what is not right. May be called at any time, any number of times. */
  reconcile(lanId: string): Promise<void> {
    return this.#deps.mutex.run(lanId, async () => {
      const { service, attachments, drift, log } = this.#deps;
      try {
        await service.sweep(lanId);
        await this.#removeLeftovers(lanId);
        if (attachments.ofLan(lanId).length > 0) return await this.#mend(lanId);
        drift.untrack(lanId);
        this.#note(lanId, []);
      } catch (error) {
        this.#note(lanId, [{ reason: "ReconcileFailed", message: describe(error) }]);
        log.warn("Cannot mend LAN", { lanId, error: describe(error) });
      }
    });
  }

  /** What an undo could not remove, and a LAN that should have gone with its last attachment. */
  async #removeLeftovers(lanId: string): Promise<void> {
    const { registry, attachments, builder } = this.#deps;
    const held = attachments.ofLan(lanId);
    const lan = registry.get(lanId)?.lan;
    const [name, path] = held[0] !== undefined
      ? [held[0].lan, held[0].netnsPath]
      : lan !== undefined
      ? [lanName(lan), builder.netnsPath(lan)]
      : [];
    if (name === undefined || path === undefined) return;
    await builder.removeUnknownPorts(name, path, lanId, new Set(held.map(({ port }) => port)));
    if (held.length === 0) await builder.remove(name, path, lanId);
  }

  async #mend(lanId: string): Promise<void> {
    const { registry, attachments, builder, node, kernel, log } = this.#deps;
    const lan = registry.accepted(lanId);
    // No longer configured or accepted: what is attached goes on, as it is, until it is detached.
    if (lan === undefined) return;
    const held = attachments.ofLan(lanId);
    this.#track(lan, held);
    const wanted = builder.wanted(
      lan,
      held.flatMap((attachment) => wantedAttachment(attachment, node) ?? []),
    );
    const ops = await builder.converge(wanted);
    if (ops.length > 0) log.info("Mended LAN", { lan: wanted.lan, operations: ops.length });
    for (const attachment of held) {
      if (!wasRemade(attachment, ops)) continue;
      const { target, ifname, details } = attachment;
      kernel.configure(target!.path, ifname, details?.ips ?? [], details?.routes ?? []);
      log.warn("Interface was gone and has been made anew; an open tap must be opened again", {
        ...{ lan: wanted.lan, ifname, container: attachment.containerId },
      });
    }
    await builder.rejoinGroup(wanted);
    this.#note(lanId, [
      ...wanted.conditions.map(({ reason, message }) => ({ reason, message })),
      ...oversized(held, wanted.vxlan?.mtu, wanted.lan),
    ]);
  }

  /** Before looking, so that what changes after the look is an event. */
  #track(lan: Lan, held: readonly Attachment[]): void {
    const { drift, kernel, builder, node } = this.#deps;
    const name = underlayName(lan.spec, node);
    const index = name === undefined ? undefined : kernel.underlay(name)?.index;
    drift.track(markId(lan.metadata.uid), {
      netnsId: kernel.netnsId(builder.netnsPath(lan)),
      underlay: name === undefined
        ? undefined
        : { name, ...(index === undefined ? {} : { index }) },
      spokes: held.flatMap(({ attach, spoke }) => attach === "macvtap" ? spoke ?? [] : []),
    });
  }

  #note(lanId: string, conditions: readonly Condition[]): void {
    const before = this.conditions(lanId).map(({ reason }) => reason).join();
    if (conditions.length === 0) this.#conditions.delete(lanId);
    else this.#conditions.set(lanId, conditions);
    if (conditions.map(({ reason }) => reason).join() === before) return;
    for (const condition of conditions) this.#deps.log.warn("Condition", { ...condition });
    if (conditions.length === 0) this.#deps.log.info("Conditions cleared", { lanId });
  }
}

function wasRemade({ target, ifname }: Attachment, ops: readonly NetOp[]): boolean {
  return ops.some((op) =>
    (op.op === "create-macvtap" || op.op === "create-veth") && op.at === target?.path &&
    op.name === ifname
  );
}

/** Interfaces of workloads keep the MTU they were given; what no longer fits is said, not changed. */
function oversized(
  held: readonly Attachment[],
  mtu: number | undefined,
  lan: string,
): Condition[] {
  const affected = held.filter(({ details }) => mtu !== undefined && (details?.mtu ?? 0) > mtu);
  if (affected.length === 0) return [];
  const names = affected.slice(0, 5).map(({ spoke, containerId }) => spoke ?? containerId);
  return [{
    reason: "AttachmentMtuTooLarge",
    message:
      `LAN "${lan}" now carries ${mtu} bytes on this node, less than the MTU of ${affected.length} attached interfaces (${
        names.join(", ")
      }…); lower theirs or raise the underlay's`,
  }];
}
