/** Brings what the kernel has of a LAN in line with what is wanted of it. */

import { K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Lan } from "../api/lan.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { detachment, diff, removal } from "../plan/diff.ts";
import { lanPlan, type NodeFacts, underlayName } from "../plan/lan_plan.ts";
import { parseMark } from "../plan/mark.ts";
import type { ObservedLan } from "../plan/observed.ts";
import { unprotected } from "../plan/protection.ts";
import type { NetOp } from "../plan/ops.ts";
import { opText } from "../plan/ops_text.ts";
import { type Peers, vtepAddress } from "../plan/vtep.ts";
import type { WantedAttachment, WantedLan } from "../plan/wanted.ts";

export class LanBuilder {
  readonly #kernel: Kernel;
  readonly #node: NodeFacts;
  readonly #log: Log;
  readonly #peersOf: (lan: Lan) => Peers;
  /** Called with the id of a LAN that is about to be removed. */
  leaving: (lanId: string) => void = () => {};

  /** `peersOf` names the other nodes of a LAN with a unicast underlay. */
  constructor(kernel: Kernel, node: NodeFacts, log: Log, peersOf: (lan: Lan) => Peers) {
    this.#kernel = kernel;
    this.#node = node;
    this.#log = log;
    this.#peersOf = peersOf;
  }

  netnsPath(lan: Lan): string {
    return `${this.#node.netnsDir}/${lan.spec.ns}`;
  }

  /** What this node should have of the LAN with these attachments. */
  wanted(lan: Lan, attachments: readonly WantedAttachment[]): WantedLan {
    const name = underlayName(lan.spec, this.#node.name);
    const underlay = name === undefined ? undefined : this.#kernel.underlay(name);
    const wanted = lanPlan(lan, this.#node, underlay, attachments, this.#peers(lan));
    const problem = wanted.protection && this.#kernel.filterProblem();
    return problem === undefined ? wanted : unprotected(wanted, problem);
  }

  /** A list for all nodes may name this one by another device; its own frames would come back to it. */
  #peers(lan: Lan): Peers {
    const peers = this.#peersOf(lan);
    if (typeof peers === "string" || peers.length === 0) return peers;
    const own = this.#kernel.ownAddresses();
    return peers.filter((peer) => !own.has(vtepAddress(peer) ?? peer));
  }

  /** Reads the LAN, and of its workloads' side that of `focus`. */
  observe(netnsPath: string, focus: readonly WantedAttachment[]): ObservedLan {
    return this.#kernel.observe({
      netnsPath,
      hostLinks: focus.flatMap(({ attach, spoke }) =>
        attach === "macvtap" && spoke !== undefined ? [spoke] : []
      ),
      targets: [...new Set(focus.flatMap(({ target }) => target ?? []))],
    });
  }

  /** The operations `converge` would do. Throws `K8slanError` for a clash. */
  missing(wanted: WantedLan): NetOp[] {
    return diff(wanted, this.observe(wanted.netns.path, wanted.attachments));
  }

  /** Does what is missing. Throws `K8slanError` for a clash, untouched. */
  async converge(wanted: WantedLan): Promise<void> {
    await this.apply(wanted.lan, this.missing(wanted));
  }

  /**
   * The VXLAN joins its group when it is set up and never again: an underlay whose IPv6 was away
   * (MTU under 1280, disable_ipv6) has forgotten the membership, and nobody says so.
   */
  async rejoinGroup({ lan, netns, vxlan }: WantedLan): Promise<void> {
    if (vxlan?.group === undefined) return;
    const { name, underlay, group } = vxlan;
    if (this.#kernel.isGroupMember(underlay.name, group)) return;
    await this.apply(lan, [
      { op: "change-link", at: netns.path, name, up: false },
      { op: "change-link", at: netns.path, name, up: true },
    ]);
  }

  /** Removes one attachment's links, complete or not, if the LAN has the port at all. */
  async detach(lan: string, netnsPath: string, lanId: string, port: string): Promise<void> {
    const observed = this.observe(netnsPath, []);
    if (observed.netns.state !== "ours" || observed.netns.mark.lan !== lanId) return;
    await this.apply(lan, detachment(observed, netnsPath, port));
  }

  /** Takes the LAN off this node. The caller knows that nothing is attached. */
  async remove(lan: string, netnsPath: string, lanId: string): Promise<void> {
    const { netns, links } = this.observe(netnsPath, []);
    if (netns.state === "unfinished") return this.#kernel.removeUnfinished(netnsPath);
    if (netns.state !== "ours" || netns.mark.lan !== lanId) return;
    const complete = [...links.values()].find(({ alias }) => parseMark(alias)?.container);
    if (complete !== undefined) {
      throw new K8slanError(
        "LanInUse",
        `Cannot remove LAN "${lan}" from this node: port "${complete.name}" is attached`,
      );
    }
    this.leaving(lanId);
    await this.apply(lan, removal({ netns: { path: netnsPath, mark: "" } }, links.values()));
  }

  /** Carries operations out; they stand in the log as the commands they equal. */
  async apply(lan: string, ops: readonly NetOp[]): Promise<void> {
    if (ops.length === 0) return;
    // Put into words only if it is logged.
    const done = { toJSON: () => ops.flatMap(opText) };
    try {
      await this.#kernel.apply(ops);
    } catch (error) {
      this.#log.debug("Operations failed", { lan, ops: done });
      throw error;
    }
    this.#log.debug("Operations done", { lan, ops: done });
  }
}
