/**
 * What the kernel knows of links, as far as this product meets it: namespaces, indexes, pairs that
 * die together, VNIs unique per machine, tap devices shared by all. Each rule is one of the real
 * kernel's; the contract in `kernel_contract.ts` holds both to it.
 */

import { EADDRINUSE, EEXIST, EINVAL, ENODEV } from "../../src/base/errno.ts";
import { VXLAN6_OVERHEAD } from "../../src/api/names.ts";
import { NetlinkError } from "../../src/netlink/errors.ts";
import type { PeerEntry } from "../../src/netlink/forwarding.ts";
import type { InfoAttrs, LinkInfo } from "../../src/netlink/link_info.ts";
import type { RouteConfig } from "../../src/api/agent_protocol.ts";
import type { PortFilter } from "../../src/plan/protection.ts";
import type { TapOwner, Underlay } from "../../src/plan/wanted.ts";

/** MTU of a bridge without ports, unless somebody sets one. */
const ETHERNET_MTU = 1500;
/** Ports that a bridge takes (BR_MAX_PORTS). */
const BRIDGE_PORTS_MAX = 1023;
const EXFULL = 54;

/** A link; tests may change it as a person could with `ip link set`. */
export class FakeLink {
  netns: FakeNetns;
  readonly index: number;
  name: string;
  up = false;
  arp = true;
  allMulticast = false;
  mtu: number;
  address: string;
  alias?: string;
  attrs: InfoAttrs;
  /** Bridge of which it is a port. */
  bridge?: FakeLink;
  groupForwardMask = 0;
  /** Other end of a veth. */
  peer?: FakeLink;
  /** What a macvtap or a VXLAN stands on; it goes with that. */
  lower?: FakeLink;
  /** Whether its IPv6 is on. */
  ipv6 = true;
  /** Whether a VXLAN is in its group. */
  joined = false;
  /** Whether somebody set the bridge's MTU; until then it follows the ports. */
  fixedMtu = false;
  /** State of the link-local address, for underlays. */
  linkLocal: Underlay["ipv6"] = "usable";
  /** Usable addresses of an underlay, the one to be known by first. */
  vteps: readonly string[] = ["fe80::1"];
  /** What is in a VXLAN's table. */
  forwarding: readonly PeerEntry[] = [];
  addresses: readonly string[] = [];
  routes: readonly RouteConfig[] = [];
  tapOwner?: TapOwner;

  constructor(netns: FakeNetns, link: NewLink) {
    this.netns = netns;
    this.index = link.index ?? netns.freeIndex();
    this.name = link.name;
    this.mtu = link.mtu ?? ETHERNET_MTU;
    this.address = link.address ?? "02:00:00:00:00:01";
    this.attrs = link.attrs;
  }

  info(): LinkInfo {
    const { peer, lower, bridge } = this;
    const under = peer ?? (this.attrs.kind === "macvtap" ? lower : undefined);
    return {
      ...{ index: this.index, name: this.name, up: this.up, arp: this.arp },
      ...{ allMulticast: this.allMulticast, mtu: this.mtu, address: this.address },
      running: this.up && (under?.up ?? true),
      ...(this.alias === undefined ? {} : { alias: this.alias }),
      ...(bridge === undefined ? {} : { master: bridge.index }),
      ...(under === undefined ? {} : { link: under.index }),
      ...(under === undefined || under.netns === this.netns ? {} : { linkNetnsId: under.netns.id }),
      attrs: this.attrs,
      ...(bridge === undefined ? {} : { port: { groupForwardMask: this.groupForwardMask } }),
    };
  }
}

export interface NewLink {
  readonly name: string;
  readonly index?: number;
  readonly mtu?: number;
  readonly address?: string;
  readonly attrs: InfoAttrs;
}

let netnsCount = 0;

export class FakeNetns {
  readonly id = ++netnsCount;
  readonly links = new Map<string, FakeLink>();
  /** What its bridge ports take in; stays when they go. */
  filters?: Map<string, PortFilter | "damaged">;
  #lastIndex = 0;

  constructor() {
    const attrs = { kind: "other", name: "" } as const;
    const lo = new FakeLink(this, { name: "lo", mtu: 65_536, address: "00:00:00:00:00:00", attrs });
    this.links.set("lo", lo);
  }

  freeIndex(): number {
    do this.#lastIndex++; while (this.hasIndex(this.#lastIndex));
    return this.#lastIndex;
  }

  hasIndex(index: number): boolean {
    return [...this.links.values()].some((link) => link.index === index);
  }

  get lo(): FakeLink {
    return this.links.get("lo")!;
  }
}

export class FakeMachine {
  readonly host = new FakeNetns();
  /** What paths lead to: a namespace, or a file with that text. */
  readonly files = new Map<string, FakeNetns | string>([["/proc/self/ns/net", this.host]]);
  /** Which macvtap `/dev/tapN` leads to: of two with one index, the first. */
  readonly taps = new Map<number, FakeLink>();

  /** Makes an empty namespace at `path`. */
  addNetns(path: string): FakeNetns {
    const netns = new FakeNetns();
    this.files.set(path, netns);
    return netns;
  }

  /** Takes `path` away, and with it the namespace's links when nothing else leads there. */
  removePath(path: string): void {
    const found = this.files.get(path);
    this.files.delete(path);
    if (!(found instanceof FakeNetns) || [...this.files.values()].includes(found)) return;
    for (const link of [...found.links.values()]) this.remove(link);
  }

  netnses(): Set<FakeNetns> {
    return new Set([...this.files.values()].filter((file) => file instanceof FakeNetns));
  }

  links(): FakeLink[] {
    return [...this.netnses()].flatMap((netns) => [...netns.links.values()]);
  }

  /** Adds links that are made together: all of them, or none. */
  add(what: string, ...links: FakeLink[]): void {
    for (const link of links) this.#requireFree(what, link);
    for (const link of links) link.netns.links.set(link.name, link);
  }

  #requireFree(what: string, { netns, name, index }: FakeLink): void {
    if (netns.links.has(name) || netns.hasIndex(index)) {
      throw new NetlinkError(what, EEXIST, undefined);
    }
  }

  addVxlan(what: string, link: FakeLink): void {
    const { attrs, lower } = link;
    if (attrs.kind !== "vxlan") throw new Error(`"${link.name}" is no VXLAN`);
    const same = this.links().some((other) =>
      other.attrs.kind === "vxlan" && other.attrs.port === attrs.port &&
      other.attrs.vni === attrs.vni && other.attrs.external === attrs.external
    );
    if (same) {
      throw new NetlinkError(what, EEXIST, "A VXLAN device with the specified VNI already exists");
    }
    // At birth it is made to fit; later it is refused.
    if (lower !== undefined) link.mtu = Math.min(link.mtu, lower.mtu - VXLAN6_OVERHEAD);
    this.add(what, link);
  }

  addMacvtap(what: string, link: FakeLink): void {
    const { lower } = link;
    if (lower === undefined) throw new NetlinkError(what, ENODEV, undefined);
    this.#requireFree(what, link);
    if (this.#onTopOf(lower).length > 0) throw new NetlinkError(what, EINVAL, undefined);
    this.add(what, link);
    if (!this.taps.has(link.index)) this.taps.set(link.index, link);
  }

  setUp(what: string, link: FakeLink, up: boolean): void {
    const { attrs } = link;
    if (up && !link.up && attrs.kind === "vxlan") {
      const other = this.#portHolder(link);
      if (other !== undefined) throw new NetlinkError(what, EADDRINUSE, undefined);
      link.joined = true;
    }
    if (!up) link.joined = false;
    link.up = up;
  }

  /** A VXLAN that takes every VNI of a UDP port shares it with no other. */
  #portHolder({ attrs }: FakeLink): FakeLink | undefined {
    return this.links().find((other) =>
      attrs.kind === "vxlan" && other.attrs.kind === "vxlan" && other.up &&
      other.attrs.port === attrs.port && (other.attrs.external ?? attrs.external) === true
    );
  }

  setMtu(what: string, link: FakeLink, mtu: number): void {
    if (mtu === link.mtu) return;
    const { attrs, lower } = link;
    const max = lower === undefined
      ? Infinity
      : lower.mtu - (attrs.kind === "vxlan" ? VXLAN6_OVERHEAD : 0);
    if (mtu > max) throw new NetlinkError(what, EINVAL, undefined);
    link.mtu = mtu;
    if (link.attrs.kind === "bridge") link.fixedMtu = true;
    if (link.bridge !== undefined) this.#followPorts(link.bridge);
    for (const above of this.#onTopOf(link)) {
      if (above.attrs.kind === "macvtap") above.mtu = mtu;
    }
  }

  join(what: string, link: FakeLink, bridge: FakeLink | undefined): void {
    if (bridge === undefined) throw new NetlinkError(what, ENODEV, undefined);
    if (link.bridge === bridge) return;
    if (this.#portsOf(bridge).length >= BRIDGE_PORTS_MAX) {
      throw new NetlinkError(what, EXFULL, undefined);
    }
    this.leave(link);
    link.bridge = bridge;
    link.groupForwardMask = 0;
    this.#followPorts(bridge);
  }

  leave(link: FakeLink): void {
    const { bridge } = link;
    if (bridge === undefined) return;
    delete link.bridge;
    this.#followPorts(bridge);
  }

  /** Removes a link with everything that cannot be without it. */
  remove(link: FakeLink): void {
    const { netns, name, peer } = link;
    if (netns.links.get(name) !== link) return;
    netns.links.delete(name);
    this.leave(link);
    for (const port of this.#portsOf(link)) delete port.bridge;
    if (this.taps.get(link.index) === link) this.taps.delete(link.index);
    if (peer !== undefined) this.remove(peer);
    for (const above of this.#onTopOf(link)) this.remove(above);
  }

  rename(link: FakeLink, name: string): void {
    link.netns.links.delete(link.name);
    link.name = name;
    link.netns.links.set(name, link);
  }

  #onTopOf(link: FakeLink): FakeLink[] {
    return this.links().filter(({ lower }) => lower === link);
  }

  #portsOf(bridge: FakeLink): FakeLink[] {
    return [...bridge.netns.links.values()].filter((link) => link.bridge === bridge);
  }

  #followPorts(bridge: FakeLink): void {
    if (bridge.fixedMtu) return;
    const mtus = this.#portsOf(bridge).map(({ mtu }) => mtu);
    bridge.mtu = mtus.length === 0 ? ETHERNET_MTU : Math.min(...mtus);
  }
}
