/** The kernel in memory, for tests that need no privileges. Obeys `kernel_contract.ts`. */

import type { IpConfig, RouteConfig } from "../../src/api/agent_protocol.ts";
import { EADDRNOTAVAIL, EEXIST, ENODEV } from "../../src/base/errno.ts";
import { K8slanError } from "../../src/base/errors.ts";
import { formatIp, isIpv6LinkLocal, parseIp } from "../../src/base/ip.ts";
import { UNKNOWN_MAC } from "../../src/base/mac.ts";
import { foreignVxlansOf } from "../../src/kernel/foreign_vxlans.ts";
import type { Kernel, LeftPlace, Scope } from "../../src/kernel/kernel.ts";
import { NetlinkError } from "../../src/netlink/errors.ts";
import type { ForwardingEntry, PeerEntry } from "../../src/netlink/forwarding.ts";
import type { LinkInfo } from "../../src/netlink/link_info.ts";
import { MACVLAN_MODE_PASSTHRU } from "../../src/netlink/wire/constants.ts";
import type { ForeignVxlan } from "../../src/plan/foreign_vxlan.ts";
import { BRIDGE_INDEX } from "../../src/plan/identity.ts";
import { parseMark } from "../../src/plan/mark.ts";
import type { ObservedLan } from "../../src/plan/observed.ts";
import {
  AGEING_SECONDS,
  type ChangeLink,
  type ChangePeers,
  type CreateVxlan,
  GROUP_FORWARD_MASK,
  HOST,
  type NetOp,
  type Place,
} from "../../src/plan/ops.ts";
import type { Underlay } from "../../src/plan/wanted.ts";
import { FakeLink, FakeMachine, FakeNetns } from "./fake_machine.ts";

const BRIDGE = {
  kind: "bridge",
  stp: false,
  multicastSnooping: false,
  ageingSeconds: AGEING_SECONDS,
} as const;

export class FakeKernel implements Kernel {
  readonly machine: FakeMachine;
  readonly netnsDir: string;
  /** All operations carried out so far, failed ones included. */
  readonly applied: NetOp[] = [];
  /** Addresses of nodes that LANs have learned a MAC address from. */
  readonly learned = new Map<string, string>();
  /** What was asked to be forgotten: path, VXLAN, and where it led. */
  readonly forgotten: {
    readonly path: string;
    readonly vxlan: string;
    readonly left: LeftPlace;
  }[] = [];
  /** VXLANs whose stations were announced. */
  readonly announced: string[] = [];
  /** Called before each operation: what it throws is that operation's failure. */
  beforeOp: (op: NetOp) => void = () => {};
  /** Why it cannot filter. */
  noFilters?: string;

  constructor(netnsDir = "/run/k8slan/netns", machine = new FakeMachine()) {
    this.netnsDir = netnsDir;
    this.machine = machine;
  }

  /** Gives the host an Ethernet device whose IPv6 works. */
  addUnderlay(name: string, mtu = 1500, index?: number): FakeLink {
    const { host } = this.machine;
    const link = new FakeLink(host, {
      ...{ name, mtu, attrs: { kind: "other", name: "dummy" } as const },
      ...(index === undefined ? {} : { index }),
    });
    link.up = true;
    this.machine.add("add an underlay", link);
    return link;
  }

  /** The link at a place, for tests to look at and to change. Throws when it is not there. */
  link(place: Place, name: string): FakeLink {
    const found = this.#netns(place).links.get(name);
    if (found === undefined) throw new Error(`There is no link "${name}" in "${place}"`);
    return found;
  }

  observe({ netnsPath, hostLinks, targets }: Scope): ObservedLan {
    const { files, host } = this.machine;
    const file = files.get(netnsPath);
    const mark = file instanceof FakeNetns ? parseMark(file.lo.alias) : parseMark(file?.trimEnd());
    const netns: ObservedLan["netns"] = file === undefined
      ? { state: "absent" }
      : mark === undefined
      ? { state: "foreign", found: "something of someone else" }
      : typeof file === "string"
      ? { state: "unfinished" }
      : { state: "ours", mark };
    return {
      netns,
      links: netns.state === "ours" && file instanceof FakeNetns ? infos(file) : new Map(),
      forwarding: netns.state === "ours" && file instanceof FakeNetns ? tables(file) : [],
      ...(file instanceof FakeNetns && file.filters !== undefined
        ? { filters: new Map(file.filters) }
        : {}),
      hostLinks: new Map(
        [...infos(host)].filter(([name]) => hostLinks.includes(name)),
      ),
      targets: new Map(targets.flatMap((path) => {
        const target = files.get(path);
        return target instanceof FakeNetns ? [[path, infos(target)] as const] : [];
      })),
    };
  }

  linkAt(path: string, name: string): LinkInfo | undefined {
    const file = this.machine.files.get(path);
    return file instanceof FakeNetns ? infos(file).get(name) : undefined;
  }

  underlay(name: string): Underlay | undefined {
    const link = this.machine.host.links.get(name);
    if (link === undefined) return undefined;
    const { index, mtu, up, linkLocal, vteps } = link;
    const addresses = up ? vteps : [];
    return { name, index, mtu, up, running: up, ipv6: up ? linkLocal : "none", addresses };
  }

  announce(path: string, vxlan: string): number {
    this.announced.push(`${vxlan} in ${path}`);
    return 0;
  }

  foreignVxlans(): ForeignVxlan[] {
    return foreignVxlansOf([...infos(this.machine.host).values()]);
  }

  forgetNode(path: string, vxlan: string, left: LeftPlace): number {
    if (!(this.machine.files.get(path) instanceof FakeNetns)) return 0;
    this.forgotten.push({ path, vxlan, left });
    return 1;
  }

  learnedFrom(_path: string, _vxlan: string, mac: string): string | undefined {
    return this.learned.get(mac);
  }

  filterProblem(): string | undefined {
    return this.noFilters;
  }

  async apply(ops: readonly NetOp[]): Promise<void> {
    await Promise.resolve();
    let place: Place | undefined;
    let failure: unknown;
    for (const op of ops) {
      const socket = socketOf(op);
      // Messages of one datagram are all carried out, whatever becomes of the first.
      if (failure !== undefined && (socket === undefined || socket !== place)) break;
      place = socket;
      this.applied.push(op);
      try {
        this.beforeOp(op);
        this.#carryOut(op);
      } catch (error) {
        failure ??= error;
        if (socket === undefined) break;
      }
    }
    if (failure !== undefined) throw this.#vxlanClash(failure, ops) ?? failure;
  }

  #carryOut(op: NetOp): void {
    const { machine } = this;
    switch (op.op) {
      case "create-netns": {
        if (machine.files.get(op.path) instanceof FakeNetns) {
          throw new Error(`"${op.path}" is a namespace already`);
        }
        const { lo } = machine.addNetns(op.path);
        lo.up = true;
        lo.alias = op.mark;
        lo.ipv6 = false;
        return;
      }
      case "create-bridge": {
        const bridge = new FakeLink(this.#netns(op.at), { ...op, attrs: BRIDGE });
        bridge.fixedMtu = true;
        return machine.add(summary(op), bridge);
      }
      case "set-bridge":
        this.#find(op).attrs = BRIDGE;
        return;
      case "create-vxlan":
        return this.#createVxlan(op);
      case "change-peers":
        return this.#changePeers(op);
      case "create-veth": {
        const attrs = { kind: "veth" } as const;
        const near = new FakeLink(this.#netns(op.at), { ...op, attrs });
        const far = new FakeLink(this.#netns(op.peer.at), { ...op.peer, attrs });
        near.peer = far;
        far.peer = near;
        return machine.add(summary(op), near, far);
      }
      case "create-macvtap": {
        const lower = [...machine.host.links.values()].find(({ index }) => {
          return index === op.lower.index;
        });
        const link = new FakeLink(this.#netns(op.at), {
          ...{ name: op.name, index: op.index },
          ...(lower === undefined ? {} : { mtu: lower.mtu, address: lower.address }),
          attrs: { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU },
        });
        if (lower !== undefined) link.lower = lower;
        return machine.addMacvtap(summary(op), link);
      }
      case "change-link":
        return this.#changeLink(op);
      case "join-bridge": {
        const netns = this.#netns(op.at);
        const bridge = [...netns.links.values()].find(({ index }) => index === BRIDGE_INDEX);
        const link = this.#find(op);
        machine.join(summary(op), link, bridge);
        link.groupForwardMask = GROUP_FORWARD_MASK;
        return;
      }
      case "filter-port": {
        const { op: _op, at, name, replaces, ...filter } = op;
        this.#find({ at, name });
        const filters = this.#netns(at).filters ??= new Map();
        if (filters.has(name) && !replaces) throw new NetlinkError(summary(op), EEXIST, undefined);
        filters.set(name, filter);
        return;
      }
      case "unfilter-port":
        this.#netns(op.at).filters?.delete(op.name);
        return;
      case "delete-filters":
        delete this.#netns(op.path).filters;
        return;
      case "isolate-host-end":
        this.#find({ ...op, at: HOST }).ipv6 = false;
        return;
      case "disable-ipv6":
        this.#find(op).ipv6 = false;
        return;
      case "own-tap":
        this.verifyTap(op.at, op.name, op.index);
        this.#find(op).tapOwner = op.owner;
        return;
      case "delete-link": {
        const link = this.#netns(op.at).links.get(op.name);
        if (link !== undefined) machine.remove(link);
        return;
      }
      case "delete-netns":
        return machine.removePath(op.path);
    }
  }

  #createVxlan(op: CreateVxlan): void {
    const { vni, group, local, port, hopLimit, underlay } = op;
    const lower = [...this.machine.host.links.values()].find(({ index }) => {
      return index === underlay.index;
    });
    if (lower === undefined) throw new NetlinkError(summary(op), ENODEV, undefined);
    const link = new FakeLink(this.#netns(op.at), {
      ...op,
      attrs: {
        kind: "vxlan",
        ...{ vni, port, hopLimit, underlayIndex: underlay.index },
        ...(group === undefined ? {} : { group: formatIp(parseIp(group)) }),
        ...(local === undefined ? {} : { local }),
        ...{ learning: true, ageingSeconds: AGEING_SECONDS },
      },
    });
    link.lower = lower;
    this.machine.addVxlan(summary(op), link);
  }

  #changePeers(op: ChangePeers): void {
    const link = this.#find(op);
    const via = op.via === undefined ? {} : { via: op.via.index };
    const add = op.add.map((dst): PeerEntry => ({ mac: UNKNOWN_MAC, dst, ...via }));
    for (const { via } of [...add, ...op.remove]) {
      // Looked for in the VXLAN's namespace, wherever the device is.
      if (via !== undefined && !link.netns.hasIndex(via)) {
        throw new NetlinkError(summary(op), EADDRNOTAVAIL, undefined);
      }
    }
    const gone = new Set(op.remove.map(entryKey));
    const kept = link.forwarding.filter((entry) => !gone.has(entryKey(entry)));
    const present = new Set(kept.map(entryKey));
    link.forwarding = [...kept, ...add.filter((entry) => !present.has(entryKey(entry)))];
  }

  #changeLink(op: ChangeLink): void {
    const link = this.#find(op);
    const { arp, allMulticast, address, alias, mtu, up } = op;
    if (mtu !== undefined) this.machine.setMtu(summary(op), link, mtu);
    Object.assign(link, {
      ...(arp === undefined ? {} : { arp }),
      ...(allMulticast === undefined ? {} : { allMulticast }),
      ...(address === undefined ? {} : { address }),
      ...(alias === undefined ? {} : { alias }),
    });
    if (up !== undefined) this.machine.setUp(summary(op), link, up);
  }

  #vxlanClash(error: unknown, ops: readonly NetOp[]): K8slanError | undefined {
    const wanted = ops.find((op) => op.op === "create-vxlan");
    if (!(error instanceof NetlinkError) || wanted === undefined) return undefined;
    const byPort = error.errnoName === "EADDRINUSE";
    if (!byPort && !error.kernelText?.includes("VNI")) return undefined;
    const holder = this.machine.links().find(({ attrs }) =>
      attrs.kind === "vxlan" && attrs.port === wanted.port &&
      (byPort ? attrs.external === true : attrs.vni === wanted.vni)
    );
    return new K8slanError(
      byPort ? "PortClash" : "VniClash",
      `In use by VXLAN device "${holder?.name}"`,
      { cause: error, retriable: true },
    );
  }

  configure(
    target: string,
    ifname: string,
    ips: readonly IpConfig[],
    routes: readonly RouteConfig[],
  ): void {
    const link = this.#netns(target).links.get(ifname);
    if (link === undefined) {
      throw new K8slanError("LinkMissing", `There is no interface "${ifname}" in "${target}"`);
    }
    if (ips.some(({ address }) => address.includes(":"))) link.ipv6 = true;
    link.addresses = [...new Set([...link.addresses, ...ips.map(({ address }) => address)])];
    link.routes = [...link.routes, ...routes];
  }

  ownAddresses(): ReadonlySet<string> {
    const links = [...this.machine.host.links.values()];
    return new Set(links.flatMap(({ vteps }) => vteps).filter((it) => !isIpv6LinkLocal(it)));
  }

  isGroupMember(device: string, text: string): boolean {
    const group = formatIp(parseIp(text));
    return this.machine.links().some(({ attrs, joined, lower }) =>
      joined && lower?.name === device && attrs.kind === "vxlan" && attrs.group === group
    );
  }

  netnsPaths(): string[] {
    return [...this.machine.files.keys()].filter((path) => path.startsWith(`${this.netnsDir}/`));
  }

  removeUnfinished(path: string): void {
    const file = this.machine.files.get(path);
    if (typeof file === "string" && parseMark(file.trimEnd()) !== undefined) {
      this.machine.removePath(path);
    }
  }

  markedHostLinks(): LinkInfo[] {
    return [...infos(this.machine.host).values()]
      .filter(({ attrs, alias }) => attrs.kind === "veth" && parseMark(alias) !== undefined);
  }

  verifyTap(target: string, ifname: string, index: number): void {
    const link = this.#find({ at: target, name: ifname });
    if (this.machine.taps.get(index) === link) return;
    throw new K8slanError("TapClash", `"/dev/tap${index}" leads to another macvtap`, {
      retriable: true,
    });
  }

  netnsIdentity(path: string): string | undefined {
    const file = this.machine.files.get(path);
    return file instanceof FakeNetns ? `fake:${file.id}` : undefined;
  }

  isHostNetns(path: string): boolean {
    return this.machine.files.get(path) === this.machine.host;
  }

  netnsId(path: string): number | undefined {
    const file = this.machine.files.get(path);
    return file instanceof FakeNetns ? file.id : undefined;
  }

  #netns(place: Place): FakeNetns {
    const found = place === HOST ? this.machine.host : this.machine.files.get(place);
    if (found instanceof FakeNetns) return found;
    throw new Error(`There is no network namespace "${place}"`);
  }

  #find({ at, name, index }: { at: Place; name: string; index?: number | undefined }): FakeLink {
    const { links } = this.#netns(at);
    const link = index === undefined
      ? links.get(name)
      : [...links.values()].find((other) => other.index === index);
    if (link === undefined) throw new NetlinkError(`change "${name}"`, ENODEV, undefined);
    return link;
  }
}

function tables(netns: FakeNetns): ForwardingEntry[] {
  return [...netns.links.values()].flatMap(({ index, attrs, forwarding }) =>
    attrs.kind !== "vxlan" || attrs.group !== undefined ? [] : forwarding.map((entry) => ({
      ...{ index, ...entry, permanent: entry.mac === UNKNOWN_MAC, self: true },
    }))
  );
}

function entryKey({ mac, dst, via }: PeerEntry): string {
  return `${mac} ${dst} ${via}`;
}

function infos(netns: FakeNetns): Map<string, LinkInfo> {
  return new Map([...netns.links].map(([name, link]) => [name, link.info()]));
}

function summary(op: NetOp): string {
  return `${op.op} "${"name" in op ? op.name : op.path}"`;
}

/** Which socket an operation's message goes through; undefined when it is none or goes alone. */
function socketOf(op: NetOp): Place | undefined {
  switch (op.op) {
    case "create-vxlan":
    case "create-veth":
    case "create-macvtap":
      return HOST;
    case "create-bridge":
    case "set-bridge":
    case "change-link":
    case "join-bridge":
    case "change-peers":
      return op.at;
    default:
      return undefined;
  }
}
