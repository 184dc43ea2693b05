/** Attaching and detaching workloads: the decisions, and nothing half-made after a failure. */

import { describe, K8slanError } from "../base/errors.ts";
import type { KeyedMutex } from "../base/keyed_mutex.ts";
import type { Log } from "../base/log.ts";
import type {
  AddRequest,
  AttachmentKey,
  AttachResult,
  ConfigureRequest,
  GcRequest,
} from "../api/agent_protocol.ts";
import { type AttachConfig, parseAttachConfig } from "../api/cni_config.ts";
import type { Lan } from "../api/lan.ts";
import { SPOKES_PER_NODE_MAX, VXLAN6_OVERHEAD } from "../api/names.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { anonymousPortName, derivedMac, portName } from "../plan/identity.ts";
import { lanName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";
import type { TapOwner, WantedAttachment } from "../plan/wanted.ts";
import {
  type Attachment,
  attachmentKey,
  type PodIdentity,
  requireUnmoved,
  type Target,
  wantedAttachment,
} from "./attachment.ts";
import type { AttachAsk, AttachGate } from "./attach_gate.ts";
import type { Attachments } from "./attachments.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { LanRegistry } from "./lan_registry.ts";
import type { TapIndexes } from "./tap_indexes.ts";

export interface AttachDependencies {
  readonly node: string;
  readonly tapOwner: TapOwner;
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly registry: LanRegistry;
  readonly attachments: Attachments;
  readonly taps: TapIndexes;
  /** One LAN's attachments change one after the other, and so does what becomes of one interface. */
  readonly mutex: KeyedMutex;
  /** Called when the attachments of a LAN have changed. */
  readonly changed: (lanId: string) => void;
  /** Called when a pod asked for an attachment and did not get it. */
  readonly failed?: (pod: PodIdentity) => void;
  /** Has a say in each attachment; without one, this node decides alone. */
  readonly gate?: AttachGate;
  readonly log: Log;
}

export class AttachService {
  readonly #deps: AttachDependencies;

  constructor(deps: AttachDependencies) {
    this.#deps = deps;
  }

  /** Makes the interface. After any failure nothing of it is left. */
  async add(request: AddRequest): Promise<AttachResult> {
    const config = parseAttachConfig(request.config, request.args ?? "");
    try {
      return await this.#add(config, request);
    } catch (error) {
      if (config.pod !== undefined) this.#deps.failed?.(config.pod);
      throw error;
    }
  }

  async #add(config: AttachConfig, request: AddRequest): Promise<AttachResult> {
    const { mutex } = this.#deps;
    // A DEL that comes meanwhile waits, and then finds what it is about.
    return await mutex.run(attachmentKey(request), async () => {
      const selected = this.#select(config);
      const lanId = markId(selected.lan.metadata.uid);
      await this.#requireNew(request);
      // Takes as long as those take whom the gate asks: nobody else is to wait for that.
      await this.#deps.gate?.admit(attachAsk(selected, config));
      return await mutex.run(lanId, () => this.#addTo(lanId, config, request));
    });
  }

  #select(config: AttachConfig): { lan: Lan; spoke?: string } {
    return this.#deps.registry.select({
      lan: config.lan,
      spoke: config.spoke,
      deviceId: config.deviceId,
      podNamespace: config.pod?.namespace,
    });
  }

  /** The caller holds the mutexes of the interface and of the LAN. */
  async #addTo(lanId: string, config: AttachConfig, request: AddRequest): Promise<AttachResult> {
    const { attachments, builder } = this.#deps;
    // Selected anew: while this waited for its turn, the LAN may have changed or gone.
    const { lan, spoke } = this.#select(config);
    if (markId(lan.metadata.uid) !== lanId) {
      throw new K8slanError(
        "LanChanged",
        `LAN "${lanName(lan)}" was replaced while the workload was being attached; try again`,
        { retriable: true },
      );
    }
    requireUnmoved(lanName(lan), builder.netnsPath(lan), attachments.ofLan(lanId));
    const plan = builder.wanted(lan, []);
    const obstacle = plan.conditions.find(({ blocking }) => blocking);
    if (obstacle !== undefined) {
      const { reason, message, retriable = true } = obstacle;
      throw new K8slanError(reason, message, { retriable });
    }
    const target = this.#target(request.netns);
    const attachment = this.#plan(lan, spoke, plan.mtu, config, request, target);
    if (spoke !== undefined) await this.#freeSpoke(lan, spoke, config, request);
    if (attachments.ofLan(lanId).length >= SPOKES_PER_NODE_MAX) {
      throw new K8slanError(
        "BridgeFull",
        `LAN "${
          lanName(lan)
        }" has ${SPOKES_PER_NODE_MAX} attachments on this node, as many as a bridge takes; run the workload on another node`,
        { retriable: true },
      );
    }
    const wanted = wantedAttachment(attachment, this.#deps.node)!;
    try {
      // Before the mark that proves it: what a crash leaves complete is known with its workload.
      attachments.announce(attachment);
      await builder.converge({ ...plan, attachments: [wanted] });
      const result = this.#readBack(attachment, wanted);
      attachments.confirm(attachment);
      this.#deps.changed(lanId);
      this.#deps.log.info("Attached", logFields(attachment));
      return result;
    } catch (error) {
      await this.#undo(attachment, error);
      throw error;
    }
  }

  /** CNI: ADD must fail for an interface that exists, and leave it as it is. */
  async #requireNew(key: AttachmentKey): Promise<void> {
    const existing = this.#deps.attachments.get(attachmentKey(key));
    if (existing === undefined) return;
    if (this.#isGone(existing)) return await this.#detachByKey(key);
    throw new K8slanError(
      "AlreadyAttached",
      `Container "${key.containerId}" has interface "${key.ifname}" on LAN "${existing.lan}" already; delete it first`,
    );
  }

  /** Throws unless the spoke is free, or held by what is gone or by the same pod's former sandbox. */
  async #freeSpoke(
    lan: Lan,
    spoke: string,
    config: AttachConfig,
    request: AddRequest,
  ): Promise<void> {
    const holder = this.#deps.attachments.holder(markId(lan.metadata.uid), spoke);
    if (holder === undefined) return;
    const { details } = holder;
    const samePod = config.pod?.uid !== undefined && details?.pod?.uid === config.pod.uid &&
      holder.ifname === request.ifname;
    if (samePod || this.#isGone(holder)) return await this.#detach(holder);
    const who = details?.pod === undefined
      ? `container "${holder.containerId}"`
      : `pod "${details.pod.namespace}/${details.pod.name}"`;
    throw new K8slanError(
      "SpokeInUse",
      `Spoke "${spoke}" of LAN "${
        lanName(lan)
      }" is attached to ${who} on this node; delete that first or use another spoke`,
      { retriable: true },
    );
  }

  #target(path: string): Target {
    const { kernel } = this.#deps;
    const identity = kernel.netnsIdentity(path);
    if (identity === undefined) {
      throw new K8slanError(
        "NetnsNotFound",
        `"${path}" is not a network namespace as this agent sees it; if it is one on the node, mount its folder into the agent's pod with mountPropagation: HostToContainer`,
      );
    }
    if (kernel.isHostNetns(path)) {
      throw new K8slanError(
        "HostNetns",
        `"${path}" is the host's own network namespace; a LAN cannot be attached to it`,
      );
    }
    return { path, identity };
  }

  #plan(
    lan: Lan,
    spoke: string | undefined,
    lanMtu: number,
    config: AttachConfig,
    { containerId, ifname }: AddRequest,
    target: Target,
  ): Attachment {
    const lanId = markId(lan.metadata.uid);
    const port = spoke === undefined ? anonymousPortName(containerId, ifname) : portName(spoke);
    if (config.mtu !== undefined && config.mtu > lanMtu) {
      throw new K8slanError(
        "InvalidConfig",
        `The attachment asks for MTU ${config.mtu}, but LAN "${
          lanName(lan)
        }" carries ${lanMtu} on this node; ask for at most that, or raise the underlay's MTU to ${
          config.mtu + VXLAN6_OVERHEAD
        }`,
      );
    }
    const macvtap = config.attach === "macvtap" && spoke !== undefined
      ? { tapIndex: this.#deps.taps.reserve(spoke), owner: this.#deps.tapOwner }
      : {};
    return {
      ...{ containerId, ifname, lanId, port, target },
      lan: lanName(lan),
      netnsPath: this.#deps.builder.netnsPath(lan),
      ...(spoke === undefined ? {} : { spoke }),
      attach: config.attach,
      details: {
        network: config.network,
        ...(config.pod === undefined ? {} : { pod: config.pod }),
        // The same spoke has the same address wherever it is: neighbours need not learn anew.
        mac: config.mac ?? derivedMac(lanId, spoke ?? port),
        mtu: config.mtu ?? lanMtu,
        ...macvtap,
        ips: [],
        routes: [],
      },
    };
  }

  /** What the kernel has, which is what the caller is told. */
  #readBack(attachment: Attachment, wanted: WantedAttachment): AttachResult {
    const { ifname, lan, attach, spoke, target, details } = attachment;
    const link = this.#deps.kernel.linkAt(target!.path, ifname);
    if (link?.address !== wanted.address || link.mtu !== wanted.mtu) {
      const found = link === undefined
        ? "vanished"
        : `has address ${link.address} and MTU ${link.mtu}, not ${wanted.address} and ${wanted.mtu},`;
      throw new K8slanError(
        "LinkChanged",
        `Interface "${ifname}" ${found} while it was being attached to "${
          target!.path
        }"; try again`,
        { retriable: true },
      );
    }
    return {
      ...{ ifname, lan, attach },
      netns: target!.path,
      mac: link.address,
      mtu: link.mtu,
      ...(spoke === undefined ? {} : { spoke }),
      ...(details?.tapIndex === undefined ? {} : { tap: `/dev/tap${details.tapIndex}` }),
    };
  }

  async #undo(attachment: Attachment, cause: unknown): Promise<void> {
    const { attachments, builder, log } = this.#deps;
    const { lan, lanId, netnsPath, port } = attachment;
    log.warn("Attach failed", { ...logFields(attachment), error: describe(cause) });
    try {
      await builder.detach(lan, netnsPath, lanId, port);
      attachments.remove(attachment);
      if (attachments.ofLan(lanId).length === 0) await builder.remove(lan, netnsPath, lanId);
    } catch (error) {
      log.error("Undo failed; what is left is removed when the LAN is looked at next", {
        ...logFields(attachment),
        error: describe(error),
      });
      this.#deps.changed(lanId);
    }
  }

  /** Removes the interface; it is fine when there is none, of whatever reason. */
  async del(key: AttachmentKey): Promise<void> {
    await this.#deps.mutex.run(attachmentKey(key), () => this.#detachByKey(key));
  }

  /** The caller holds the interface's mutex. */
  async #detachByKey(key: AttachmentKey): Promise<void> {
    const { attachments, mutex } = this.#deps;
    const known = attachments.get(attachmentKey(key));
    if (known === undefined) return;
    await mutex.run(known.lanId, async () => {
      const attachment = attachments.get(attachmentKey(key));
      if (attachment !== undefined) await this.#detach(attachment);
    });
  }

  /** Is the workload's namespace no longer the one that was attached? */
  #isGone({ target, netnsPath, port }: Attachment): boolean {
    const { kernel, builder } = this.#deps;
    // Without its record, the port is all that is known of a workload.
    if (target === undefined) return !builder.observe(netnsPath, []).links.has(port);
    return kernel.netnsIdentity(target.path) !== target.identity;
  }

  /** Removes the attachments of `lanId` whose workload is gone. The caller holds the LAN's mutex. */
  async sweep(lanId: string): Promise<void> {
    for (const attachment of this.#deps.attachments.ofLan(lanId)) {
      if (!this.#isGone(attachment)) continue;
      this.#deps.log.info("Workload is gone", logFields(attachment));
      await this.#detach(attachment);
    }
  }

  /**
   * Takes an attachment away, and its LAN with the last of them. Until all of that is done it counts
   * as attached, so that whoever tries again finds it. The caller holds the LAN's mutex.
   */
  async #detach(attachment: Attachment): Promise<void> {
    const { attachments, builder, log } = this.#deps;
    const { lan, lanId, netnsPath, port } = attachment;
    const isLast = attachments.ofLan(lanId).length === 1;
    await builder.detach(lan, netnsPath, lanId, port);
    if (isLast) await builder.remove(lan, netnsPath, lanId);
    attachments.remove(attachment);
    this.#deps.changed(lanId);
    log.info("Detached", logFields(attachment));
  }

  /** Puts addresses and routes on the interface and remembers them, should it have to be made anew. */
  async configure(request: ConfigureRequest): Promise<void> {
    const { ips, routes } = request;
    const { lanId } = this.require(request);
    await this.#deps.mutex.run(lanId, () => {
      const attachment = this.require(request);
      this.#requireSameNetns(attachment, request.netns);
      this.#deps.kernel.configure(request.netns, request.ifname, ips, routes);
      const { details } = attachment;
      if (details === undefined) return;
      this.#deps.attachments.put({ ...attachment, details: { ...details, ips, routes } });
    });
  }

  /** Addresses of a workload must not end up in another's namespace. */
  #requireSameNetns({ ifname, target }: Attachment, path: string): void {
    const identity = this.#deps.kernel.netnsIdentity(path);
    if (target === undefined ? identity !== undefined : identity === target.identity) return;
    throw new K8slanError(
      "NetnsNotFound",
      `"${path}" is not the network namespace that interface "${ifname}" was attached to${
        target === undefined ? "" : `, which is "${target.path}"`
      }`,
    );
  }

  /** The attachment of that key. Throws `K8slanError` "UnknownContainer". */
  require(key: AttachmentKey): Attachment {
    const attachment = this.#deps.attachments.get(attachmentKey(key));
    if (attachment !== undefined) return attachment;
    throw new K8slanError(
      "UnknownContainer",
      `Container "${key.containerId}" has no interface "${key.ifname}" on any LAN of this node`,
    );
  }

  /** Removes the attachments of a network that its runtime no longer knows. */
  async gc({ network, valid }: GcRequest): Promise<void> {
    const keep = new Set(valid.map(attachmentKey));
    const failures: string[] = [];
    for (const attachment of [...this.#deps.attachments.all()]) {
      const isOther = attachment.details?.network !== network;
      if (isOther || keep.has(attachmentKey(attachment))) continue;
      try {
        await this.del(attachment);
      } catch (error) {
        failures.push(describe(error));
      }
    }
    if (failures.length > 0) throw new Error(failures.join("; "));
  }
}

function attachAsk(
  selected: { readonly lan: Lan; readonly spoke?: string },
  { attach, pod, deviceId }: AttachConfig,
): AttachAsk {
  return {
    ...{ ...selected, attach },
    ...(pod === undefined ? {} : { pod }),
    ...(deviceId === undefined ? {} : { deviceId }),
  };
}

function logFields(attachment: Attachment) {
  const { lan, spoke, containerId, ifname, attach, details } = attachment;
  return { lan, spoke, container: containerId, ifname, attach, tapIndex: details?.tapIndex };
}
