/** What the behaviours of the contract stand on: a kernel to try, and ways to ask of it. */

import assert from "node:assert/strict";
import { K8slanError } from "../../../src/base/errors.ts";
import { NetlinkError } from "../../../src/netlink/errors.ts";
import { type AttachOptions, macvtapOn, scopeOf, seedLan, vethOn } from "../lan_fixture.ts";
import type { LanSpec } from "../../../src/api/lan.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { PeerEntry } from "../../../src/netlink/forwarding.ts";
import type { LinkInfo } from "../../../src/netlink/link_info.ts";
import { diff } from "../../../src/plan/diff.ts";
import { lanPlan, underlayName } from "../../../src/plan/lan_plan.ts";
import { HOST, type NetOp, type Place } from "../../../src/plan/ops.ts";
import type { Peers } from "../../../src/plan/vtep.ts";
import type { WantedAttachment, WantedLan } from "../../../src/plan/wanted.ts";

/** A kernel with an underlay "eth1" of MTU 1500, and a person who meddles with it. */
export interface KernelWorld {
  readonly kernel: Kernel;
  readonly netnsDir: string;
  /** Name of the node, unique on this machine. */
  readonly node: string;
  /** Makes a namespace that is nobody's, such as a pod's. */
  addNetns(path: string): void;
  removeNetns(path: string): void;
  /** Path for a workload's namespace. */
  targetPath(name: string): string;
  writeFile(path: string, text: string): void;
  /** Adds a link that is not ours. */
  addLink(place: Place, name: string, index?: number): void;
  /** Adds a VXLAN to the host, by VNI or one that takes all of them, and sets it up. */
  addVxlan(name: string, port: number, vni: number | "external"): void;
  changeLink(place: Place, name: string, change: LinkDrift): void;
  /** Gives a device of the host an address that is usable at once. */
  addAddress(device: string, prefix: string): void;
  /** Changes the table of a VXLAN. */
  changeForwarding(place: Place, name: string, verb: "append" | "del", entry: PeerEntry): void;
  deleteLink(place: Place, name: string): void;
  /** Deletes the table of filters of a LAN's namespace, or the rules of one port. */
  deleteFilters(place: Place): void;
  emptyFilter(place: Place, port: string): void;
  addressesOf(place: Place, name: string): string[];
  /** Everything that is to be seen of the places, as text. */
  snapshot(places: readonly Place[]): string;
}

export interface LinkDrift {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly address?: string;
  readonly alias?: string;
  readonly name?: string;
  /** Takes it out of its bridge. */
  readonly leave?: true;
}

export interface Behaviour {
  readonly name: string;
  run(world: KernelWorld): Promise<void>;
}

export type Attach = (world: KernelWorld) => WantedAttachment[];

/** The LAN as it should be on this node. */
export function wantedLan(
  world: KernelWorld,
  attachments: readonly WantedAttachment[] = [],
  spec: Partial<LanSpec> = {},
  uid?: string,
  peers?: Peers,
): WantedLan {
  const lan = seedLan({ vxlanDevMap: { [world.node]: "eth1" }, ...spec }, uid);
  const name = underlayName(lan.spec, world.node);
  const underlay = name === undefined ? undefined : world.kernel.underlay(name);
  const facts = { name: world.node, netnsDir: world.netnsDir };
  return lanPlan(lan, facts, underlay, attachments, peers);
}

export function missing(world: KernelWorld, wanted: WantedLan): NetOp[] {
  return diff(wanted, world.kernel.observe(scopeOf(wanted)));
}

/** Does what is missing, and proves that nothing is then. */
export async function converge(world: KernelWorld, wanted: WantedLan): Promise<NetOp[]> {
  const ops = missing(world, wanted);
  await world.kernel.apply(ops);
  assert.deepEqual(missing(world, wanted), []);
  return ops;
}

/** A macvtap in a new namespace. */
export function macvtap(world: KernelWorld, spoke = "pod1", options: AttachOptions = {}) {
  const target = newTarget(world, `${spoke}-ns`);
  return macvtapOn(spoke, { node: world.node, target, ...options });
}

export function veth(world: KernelWorld, spoke: string | undefined, options: AttachOptions = {}) {
  const target = newTarget(world, `${spoke ?? "anyone"}-ns`);
  return vethOn(spoke, { node: world.node, target, ...options });
}

export function newTarget(world: KernelWorld, name: string): string {
  const path = world.targetPath(name);
  world.addNetns(path);
  return path;
}

export const ONE_MACVTAP: Attach = (world) => [macvtap(world)];
export const ALL_KINDS: Attach = (world) => [
  macvtap(world, "pod1"),
  veth(world, "pod2"),
  veth(world, undefined, { ifname: "eth7", mtu: 1300 }),
];

export function links(world: KernelWorld, place: Place): ReadonlyMap<string, LinkInfo> {
  if (place === HOST) throw new Error("The host's links are asked for by name");
  const observed = world.kernel.observe({ netnsPath: place, hostLinks: [], targets: [place] });
  return observed.targets.get(place) ?? new Map();
}

export function hostLink(world: KernelWorld, name: string): LinkInfo | undefined {
  return world.kernel.observe({ netnsPath: "/nowhere", hostLinks: [name], targets: [] })
    .hostLinks.get(name);
}

export function codeIs(code: string) {
  return (error: unknown) => error instanceof K8slanError && error.code === code;
}

export function errnoIs(name: string) {
  return (error: unknown) => error instanceof NetlinkError && error.errnoName === name;
}

export function opName(op: NetOp): string {
  const name = "name" in op ? op.name : op.path.slice(op.path.lastIndexOf("/") + 1);
  return `${op.op} ${name}`;
}
