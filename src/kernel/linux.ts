/** The real kernel. */

import { ENODEV } from "../base/errno.ts";
import { K8slanError } from "../base/errors.ts";
import { parseIp, parsePrefix } from "../base/ip.ts";
import type { IpConfig, RouteConfig } from "../api/agent_protocol.ts";
import { setAddress } from "../netlink/address.ts";
import type { NetlinkClient } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { decodeLink, type LinkInfo } from "../netlink/link_info.ts";
import { deleteLink, dumpLinks } from "../netlink/link_request.ts";
import { assignNamespaceId, decodeNamespaceId, getNamespaceId } from "../netlink/namespace_id.ts";
import { setRoute } from "../netlink/route.ts";
import type { Request } from "../netlink/wire/message.ts";
import { parseMark } from "../plan/mark.ts";
import type { ForeignVxlan } from "../plan/foreign_vxlan.ts";
import { type DeleteLink, HOST, type NetOp, type Place } from "../plan/ops.ts";
import type { ObservedLan } from "../plan/observed.ts";
import type { Underlay } from "../plan/wanted.ts";
import { openNetlinkSocket } from "../sys/netlink_socket.ts";
import { HOME_NETNS, openNetns, removeNetns, withNetns } from "../sys/netns.ts";
import { writeLinkSysctl } from "../sys/sysctl.ts";
import { announce } from "./announce.ts";
import { readForeignVxlans } from "./foreign_vxlans.ts";
import { changeFilters, filterProblem } from "./filters.ts";
import { forgetNode, learnedFrom } from "./forget_node.ts";
import type { Kernel, LeftPlace, Scope } from "./kernel.ts";
import { groupLimit } from "./group_limit.ts";
import { createLanNetns, isUnfinishedNetns } from "./lan_netns.ts";
import { netnsIdentity } from "./netns_identity.ts";
import { findLink, linkAt, observeLan } from "./observe.ts";
import { opRequests } from "./op_request.ts";
import { type OpenPlace, openPlace, type OpenTransport, Places } from "./places.ts";
import { ownTap, verifyTap } from "./tap.ts";
import { isGroupMember, ownAddresses, readUnderlay } from "./underlay.ts";
import { vxlanClash } from "./vxlan_clash.ts";

export class LinuxKernel implements Kernel, Disposable {
  readonly #netnsDir: string;
  readonly #transport: OpenTransport;
  readonly #host: OpenPlace;
  #canFilter = false;
  /** Deletions that the kernel has not finished yet, although the links are gone. */
  readonly #finishing = new Set<Promise<void>>();
  /** Those among them that nobody has waited for at all. */
  readonly #leaving = new Set<Promise<void>>();

  /** `transport` opens a netlink socket in the namespace of the calling thread. */
  constructor(netnsDir: string, transport: OpenTransport = openNetlinkSocket) {
    this.#netnsDir = netnsDir;
    this.#transport = transport;
    this.#host = openPlace(HOST, transport);
  }

  observe(scope: Scope): ObservedLan {
    return observeLan(this.#host.client, scope, this.#transport);
  }

  linkAt(path: string, name: string): LinkInfo | undefined {
    return linkAt(path, name, this.#transport);
  }

  underlay(name: string): Underlay | undefined {
    return readUnderlay(this.#host.client, name);
  }

  announce(path: string, vxlan: string): number {
    if (this.netnsIdentity(path) === undefined) return 0;
    using place = openPlace(path, this.#transport);
    return announce(place, vxlan);
  }

  foreignVxlans(): ForeignVxlan[] {
    return readForeignVxlans(this.#host.client);
  }

  filterProblem(): string | undefined {
    // Modules can be loaded at any time; what works goes on working.
    if (this.#canFilter) return undefined;
    const problem = filterProblem(this.#transport);
    this.#canFilter = problem === undefined;
    return problem;
  }

  netnsIdentity(path: string): string | undefined {
    return netnsIdentity(path);
  }

  ownAddresses(): ReadonlySet<string> {
    return ownAddresses(this.#host.client);
  }

  isGroupMember(device: string, group: string): boolean {
    return isGroupMember(this.#host.client, device, group);
  }

  netnsPaths(): string[] {
    return [...Deno.readDirSync(this.#netnsDir)].map(({ name }) => `${this.#netnsDir}/${name}`);
  }

  removeUnfinished(path: string): void {
    if (this.netnsIdentity(path) === undefined && isUnfinishedNetns(path)) Deno.removeSync(path);
  }

  markedHostLinks(): LinkInfo[] {
    return this.#host.client.dump(dumpLinks("veth"), decodeLink)
      .filter(({ alias }) => parseMark(alias) !== undefined);
  }

  verifyTap(target: string, ifname: string, index: number): void {
    using place = openPlace(target, this.#transport);
    verifyTap(place.netns, ifname, index);
  }

  isHostNetns(path: string): boolean {
    return netnsIdentity(path) === netnsIdentity(HOME_NETNS);
  }

  forgetNode(path: string, vxlan: string, left: LeftPlace): number {
    if (this.netnsIdentity(path) === undefined) return 0;
    using place = openPlace(path, this.#transport);
    return forgetNode(place.client, vxlan, left);
  }

  learnedFrom(path: string, vxlan: string, mac: string): string | undefined {
    if (this.netnsIdentity(path) === undefined) return undefined;
    using place = openPlace(path, this.#transport);
    return learnedFrom(place.client, vxlan, mac);
  }

  netnsId(path: string): number | undefined {
    if (this.netnsIdentity(path) === undefined) return undefined;
    using netns = openNetns(path);
    const known = this.#host.client.get(getNamespaceId(netns.number), decodeNamespaceId);
    if (known !== undefined) return known;
    this.#host.client.execute([assignNamespaceId(netns.number)]);
    return this.#host.client.get(getNamespaceId(netns.number), decodeNamespaceId);
  }

  async apply(ops: readonly NetOp[]): Promise<void> {
    using places = new Places(this.#transport);
    // A VXLAN has its VNI as long as it has not left.
    if (ops.some(({ op }) => op === "create-vxlan")) await Promise.all(this.#leaving);
    const doomed = new Set(ops.flatMap((op) => op.op === "delete-netns" ? op.path : []));
    try {
      for (const run of runs(ops)) {
        const [first] = run;
        if (first.op === "delete-link") {
          for (const op of run) await this.#delete(op as DeleteLink, doomed);
        } else this.#applyRun(run, places);
      }
    } catch (error) {
      throw vxlanClash(error, ops, this.#netnsDir) ?? groupLimit(error, ops) ?? error;
    }
  }

  /** Collects requests while they go to the same socket, and sends them when one does not. */
  #applyRun(ops: readonly NetOp[], places: Places): void {
    let at: Place = HOST;
    let pending: Request[] = [];
    const flush = () => {
      if (pending.length > 0) this.#clientAt(at, places).execute(pending);
      pending = [];
    };
    for (const op of ops) {
      const placed = opRequests(op, (place) => places.get(place).netns.number);
      if (placed === undefined) {
        flush();
        this.#effect(op, places);
        continue;
      }
      if (placed.at !== at) {
        flush();
        at = placed.at;
      }
      pending.push(...placed.requests);
    }
    flush();
  }

  #clientAt(place: Place, places: Places): NetlinkClient {
    return place === HOST ? this.#host.client : places.get(place).client;
  }

  #effect(op: NetOp, places: Places): void {
    switch (op.op) {
      case "create-netns":
        createLanNetns(op.path, op.mark, this.#transport);
        // Without an id its events would not reach us.
        this.#host.client.execute([assignNamespaceId(places.get(op.path).netns.number)]);
        return;
      case "delete-netns":
        places.close(op.path);
        return removeNetns(op.path);
      case "filter-port":
      case "unfilter-port":
        return changeFilters(op, places.get(op.at));
      case "delete-filters":
        return changeFilters(op, places.get(op.path));
      case "isolate-host-end":
        writeLinkSysctl("ipv6", op.name, "disable_ipv6", 1);
        return writeLinkSysctl("ipv4", op.name, "rp_filter", 1);
      case "disable-ipv6":
        return withNetns(
          places.get(op.at).netns,
          () => writeLinkSysctl("ipv6", op.name, "disable_ipv6", 1),
        );
      case "own-tap":
        return ownTap(op, places.get(op.at).netns);
    }
  }

  /**
   * Deletes a link and returns as soon as nobody can find it any more; the kernel goes on for about
   * 20 ms until it has forgotten it, on a thread of its own.
   * A link that is not there is fine, and nothing is asked for then: a pair goes together, and a
   * request that nobody waits for would come late and hit the next link of that name.
   * In a namespace that is about to lose its path nobody will look, so there it returns at once: the
   * last VXLAN of a port takes the kernel another 15 ms, during which no look is answered.
   */
  async #delete(op: DeleteLink, doomed: ReadonlySet<Place>): Promise<void> {
    using lookup = openPlace(op.at, this.#transport);
    if (findLink(lookup.client, op.name) === undefined) return;
    const place = openPlace(op.at, this.#transport);
    const finished = place.client.executeInBackground(deleteLink({ name: op.name })).catch(
      (error) => {
        if (!(error instanceof NetlinkError && error.errno === ENODEV)) throw error;
      },
    ).finally(() => place[Symbol.dispose]());
    const settled = finished.then(() => {}, () => {});
    this.#finishing.add(settled);
    settled.then(() => this.#finishing.delete(settled));
    if (doomed.has(op.at)) {
      this.#leaving.add(settled);
      settled.then(() => this.#leaving.delete(settled));
      return;
    }
    let done = false;
    settled.then(() => done = true);
    // Each look waits for the kernel's own lock, so this is a handful of turns at most.
    while (!done && findLink(lookup.client, op.name) !== undefined) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (done) await finished;
    else finished.catch(() => {});
  }

  configure(
    target: string,
    ifname: string,
    ips: readonly IpConfig[],
    routes: readonly RouteConfig[],
  ): void {
    using place = openPlace(target, this.#transport);
    if (ips.some(({ address }) => parseIp(parsePrefix(address).address).length === 16)) {
      withNetns(place.netns, () => writeLinkSysctl("ipv6", ifname, "disable_ipv6", 0));
    }
    const link = findLink(place.client, ifname);
    if (link === undefined) {
      throw new K8slanError("LinkMissing", `There is no interface "${ifname}" in "${target}"`);
    }
    place.client.execute([
      ...ips.map(({ address }) => setAddress(link.index, parsePrefix(address))),
      ...routes.map(({ dst, gw, mtu, priority }) =>
        setRoute(link.index, {
          dst,
          ...(gw === undefined ? {} : { gateway: gw }),
          ...(mtu === undefined ? {} : { mtu }),
          ...(priority === undefined ? {} : { priority }),
        })
      ),
    ]);
  }

  /** Resolves when the kernel has finished every deletion that was begun. */
  async settled(): Promise<void> {
    await Promise.all(this.#finishing);
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]();
  }
}

/** Deletions that follow each other go together, and so does everything between them. */
function runs(ops: readonly NetOp[]): [NetOp, ...NetOp[]][] {
  const result: [NetOp, ...NetOp[]][] = [];
  for (const op of ops) {
    const last = result.at(-1);
    const same = last !== undefined &&
      (last[0].op === "delete-link") === (op.op === "delete-link");
    if (same) last.push(op);
    else result.push([op]);
  }
  return result;
}
