/**
 * What everyone may rely on of a `Kernel`, as a table of behaviours. The real kernel and the fake
 * are both held to it, so that what tests find out with the fake is true.
 */

import assert from "node:assert/strict";
import { K8slanError } from "../../src/base/errors.ts";
import type { LanSpec } from "../../src/api/lan.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { NetlinkError } from "../../src/netlink/errors.ts";
import type { LinkInfo } from "../../src/netlink/link_info.ts";
import { detachment, diff, removal } from "../../src/plan/diff.ts";
import { BRIDGE_INDEX } from "../../src/plan/identity.ts";
import { lanPlan, underlayName } from "../../src/plan/lan_plan.ts";
import { HOST, type NetOp, type Place } from "../../src/plan/ops.ts";
import type { WantedAttachment, WantedLan } from "../../src/plan/wanted.ts";
import { type AttachOptions, macvtapOn, scopeOf, seedLan, vethOn } from "./lan_fixture.ts";
import { until } from "./until.ts";

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
  deleteLink(place: Place, name: string): void;
  addressesOf(place: Place, name: string): string[];
  /** Everything that is to be seen of the places, as text. */
  snapshot(places: readonly Place[]): string;
}

export interface LinkDrift {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly alias?: string;
  readonly name?: string;
  /** Takes it out of its bridge. */
  readonly leave?: true;
}

export interface Behaviour {
  readonly name: string;
  run(world: KernelWorld): Promise<void>;
}

type Attach = (world: KernelWorld) => WantedAttachment[];

/** The LAN as it should be on this node. */
function wantedLan(
  world: KernelWorld,
  attachments: readonly WantedAttachment[] = [],
  spec: Partial<LanSpec> = {},
  uid?: string,
): WantedLan {
  const lan = seedLan({ vxlanDevMap: { [world.node]: "eth1" }, ...spec }, uid);
  const name = underlayName(lan.spec, world.node);
  const underlay = name === undefined ? undefined : world.kernel.underlay(name);
  const facts = { name: world.node, netnsDir: world.netnsDir };
  return lanPlan(lan, facts, underlay, attachments);
}

function missing(world: KernelWorld, wanted: WantedLan): NetOp[] {
  return diff(wanted, world.kernel.observe(scopeOf(wanted)));
}

/** Does what is missing, and proves that nothing is then. */
async function converge(world: KernelWorld, wanted: WantedLan): Promise<NetOp[]> {
  const ops = missing(world, wanted);
  await world.kernel.apply(ops);
  assert.deepEqual(missing(world, wanted), []);
  return ops;
}

/** A macvtap in a new namespace. */
function macvtap(world: KernelWorld, spoke = "pod1", options: AttachOptions = {}) {
  const target = target_(world, `${spoke}-ns`);
  return macvtapOn(spoke, { node: world.node, target, ...options });
}

function veth(world: KernelWorld, spoke: string | undefined, options: AttachOptions = {}) {
  const target = target_(world, `${spoke ?? "anyone"}-ns`);
  return vethOn(spoke, { node: world.node, target, ...options });
}

function target_(world: KernelWorld, name: string): string {
  const path = world.targetPath(name);
  world.addNetns(path);
  return path;
}

const ONE_MACVTAP: Attach = (world) => [macvtap(world)];
const ALL_KINDS: Attach = (world) => [
  macvtap(world, "pod1"),
  veth(world, "pod2"),
  veth(world, undefined, { ifname: "eth7", mtu: 1300 }),
];

function links(world: KernelWorld, place: Place): ReadonlyMap<string, LinkInfo> {
  if (place === HOST) throw new Error("The host's links are asked for by name");
  const observed = world.kernel.observe({ netnsPath: place, hostLinks: [], targets: [place] });
  return observed.targets.get(place) ?? new Map();
}

function hostLink(world: KernelWorld, name: string): LinkInfo | undefined {
  return world.kernel.observe({ netnsPath: "/nowhere", hostLinks: [name], targets: [] })
    .hostLinks.get(name);
}

function codeIs(code: string) {
  return (error: unknown) => error instanceof K8slanError && error.code === code;
}

function errnoIs(name: string) {
  return (error: unknown) => error instanceof NetlinkError && error.errnoName === name;
}

const building: Behaviour[] = [
  ...([
    ["nothing attached", () => []],
    ["a macvtap", ONE_MACVTAP],
    ["a macvtap, a veth and a veth without a spoke", ALL_KINDS],
  ] as const).map(([what, attach]: readonly [string, Attach]): Behaviour => ({
    name: `apply() of a whole diff leaves nothing to do: ${what}`,
    async run(world) {
      const wanted = wantedLan(world, attach(world));
      assert.equal(world.kernel.observe(scopeOf(wanted)).netns.state, "absent");
      await converge(world, wanted);
    },
  })),
  {
    name: "observe() reports the links as they were asked for",
    async run(world) {
      const attachment = macvtap(world);
      const wanted = wantedLan(world, [attachment]);
      await converge(world, wanted);
      const observed = world.kernel.observe(scopeOf(wanted));
      assert.deepEqual(observed.netns, {
        state: "ours",
        mark: { lan: wanted.uid, name: wanted.lan },
      });
      const { vxlan, bridge } = wanted;
      const of = (link: LinkInfo | undefined) => ({
        ...{ index: link?.index, up: link?.up, mtu: link?.mtu, address: link?.address },
        ...{ arp: link?.arp, allMulticast: link?.allMulticast, master: link?.master },
        ...{ attrs: link?.attrs, mask: link?.port?.groupForwardMask },
      });
      const common = {
        ...{ up: true, mtu: 1426, arp: true, allMulticast: false },
        ...{ master: undefined, mask: undefined },
      };
      const port = { master: BRIDGE_INDEX, mask: 0xfffd };
      assert.deepEqual(of(observed.links.get("br2")), {
        ...{ ...common, index: BRIDGE_INDEX, address: bridge.address },
        attrs: { kind: "bridge", stp: false, multicastSnooping: false, ageingSeconds: 300 },
      });
      const vx2 = observed.links.get("vx2");
      assert.deepEqual(of(vx2), {
        ...{ ...common, ...port, index: vx2?.index, address: vxlan?.address },
        attrs: {
          ...{ kind: "vxlan", vni: 222, group: "ff02::14", port: 4789, hopLimit: 1 },
          ...{ underlayIndex: vxlan?.underlay.index, learning: true, ageingSeconds: 300 },
        },
      });
      const bridgePort = observed.links.get("pod1.b");
      assert.deepEqual(of(bridgePort), {
        ...{ ...common, ...port, index: bridgePort?.index, address: attachment.portAddress },
        attrs: { kind: "veth" },
      });
      const { index, address } = attachment;
      assert.deepEqual(of(observed.hostLinks.get("pod1")), {
        ...{ ...common, index, address, arp: false, attrs: { kind: "veth" } },
      });
      const inside = observed.targets.get(attachment.target!)?.get("net1");
      assert.deepEqual(of(inside), {
        ...{ ...common, index, address, allMulticast: true },
        attrs: inside?.attrs,
      });
      assert.equal(inside?.attrs.kind, "macvtap");
    },
  },
  {
    name: "observe() changes nothing",
    async run(world) {
      const wanted = wantedLan(world, ALL_KINDS(world));
      await converge(world, wanted);
      const places = [HOST, wanted.netns.path, ...scopeOf(wanted).targets];
      const before = world.snapshot(places);
      world.kernel.observe(scopeOf(wanted));
      const nowhere = `${world.netnsDir}/nowhere`;
      world.kernel.observe({ netnsPath: nowhere, hostLinks: ["nothing"], targets: [nowhere] });
      assert.equal(world.snapshot(places), before);
      assert.deepEqual(world.kernel.netnsPaths(), [wanted.netns.path]);
    },
  },
  {
    name: "apply() lets LANs stand beside each other, on one underlay",
    async run(world) {
      const one = wantedLan(world, [macvtap(world, "pod1")]);
      const two = wantedLan(
        world,
        [macvtap(world, "pod2", { lan: seedLan({}, "other") })],
        { ns: "other", vni: 223 },
        "other",
      );
      await converge(world, one);
      await converge(world, two);
      assert.deepEqual(missing(world, one), []);
      assert.deepEqual(world.kernel.netnsPaths().toSorted(), [one.netns.path, two.netns.path]);
      assert.deepEqual(
        world.kernel.markedHostLinks().map(({ name }) => name).toSorted(),
        ["pod1", "pod2"],
      );
    },
  },
];

building.push({
  name: "apply() works on several LANs at once",
  async run(world) {
    const devices = (device: string) => ({ vxlanDevMap: { [world.node]: device } });
    world.addLink(HOST, "eth2");
    const lans = (device: string) =>
      Array.from(
        { length: 4 },
        (_, at) =>
          wantedLan(world, [], { ns: `lan${at}`, vni: 300 + at, ...devices(device) }, `uid${at}`),
      );
    await Promise.all(lans("eth1").map((wanted) => converge(world, wanted)));
    // Each has a deletion in it, during which the others go on.
    await Promise.all(lans("eth2").map((wanted) => converge(world, wanted)));
    for (const wanted of lans("eth2")) assert.deepEqual(missing(world, wanted), []);
  },
});

/** What happens to a built LAN, and the operations that must follow, by their names. */
const DRIFTS: readonly (readonly [string, (world: KernelWorld, lan: WantedLan) => void, RegExp])[] =
  [
    [
      "loopback down",
      (world, { netns }) => world.changeLink(netns.path, "lo", { up: false }),
      /^change-link lo$/,
    ],
    [
      "bridge down",
      (world, { netns }) => world.changeLink(netns.path, "br2", { up: false }),
      /^change-link br2$/,
    ],
    [
      "bridge with another MTU",
      (world, { netns }) => world.changeLink(netns.path, "br2", { mtu: 1400 }),
      /^change-link br2$/,
    ],
    [
      "bridge deleted",
      (world, { netns }) => world.deleteLink(netns.path, "br2"),
      /^create-bridge br2,change-link br2,join-bridge vx2,join-bridge pod1.b$/,
    ],
    [
      "bridge renamed",
      (world, { netns }) => world.changeLink(netns.path, "br2", { up: false, name: "old" }),
      /^delete-link old,create-bridge br2,change-link br2,join-bridge vx2,join-bridge pod1.b$/,
    ],
    [
      "VXLAN down",
      (world, { netns }) => world.changeLink(netns.path, "vx2", { up: false }),
      /^change-link vx2$/,
    ],
    [
      "VXLAN out of the bridge",
      (world, { netns }) => world.changeLink(netns.path, "vx2", { leave: true }),
      /^join-bridge vx2$/,
    ],
    [
      "VXLAN renamed",
      (world, { netns }) => world.changeLink(netns.path, "vx2", { name: "old" }),
      /^delete-link old,create-vxlan vx2,join-bridge vx2,change-link vx2$/,
    ],
    [
      "VXLAN deleted",
      (world, { netns }) => world.deleteLink(netns.path, "vx2"),
      /^create-vxlan vx2,join-bridge vx2,change-link vx2$/,
    ],
    [
      "port down",
      (world, { netns }) => world.changeLink(netns.path, "pod1.b", { up: false }),
      /^change-link pod1.b$/,
    ],
    [
      "port renamed",
      (world, { netns }) => world.changeLink(netns.path, "pod1.b", { name: "old" }),
      /^delete-link old,delete-link pod1,create-veth pod1,.*create-macvtap net1,.*change-link pod1.b$/,
    ],
    [
      "port out of the bridge",
      (world, { netns }) => world.changeLink(netns.path, "pod1.b", { leave: true }),
      /^join-bridge pod1.b$/,
    ],
    [
      "host end down",
      (world) => world.changeLink(HOST, "pod1", { up: false }),
      /^change-link pod1$/,
    ],
    [
      "host end deleted",
      (world) => world.deleteLink(HOST, "pod1"),
      /^create-veth pod1,.*create-macvtap net1,.*own-tap net1,change-link pod1.b$/,
    ],
    [
      "macvtap deleted",
      (world, { attachments }) => world.deleteLink(attachments[0]!.target!, "net1"),
      /^create-macvtap net1,disable-ipv6 net1,change-link net1,own-tap net1$/,
    ],
    [
      "macvtap down and renamed by its workload",
      (world, { attachments }) =>
        world.changeLink(attachments[0]!.target!, "net1", { up: false, name: "wan", alias: "x" }),
      /^$/,
    ],
    [
      "LAN namespace deleted",
      (world, { netns }) => world.removeNetns(netns.path),
      /^create-netns knlvrf,.*create-vxlan vx2.*change-link pod1.b$/,
    ],
  ];

const mending: Behaviour[] = DRIFTS.map(([what, drift, expected]) => ({
  name: `apply() mends: ${what}`,
  async run(world) {
    const wanted = wantedLan(world, ONE_MACVTAP(world));
    await converge(world, wanted);
    const before = stableLinks(world, wanted);
    drift(world, wanted);
    // What goes with a namespace goes a little later.
    if (what.startsWith("LAN namespace")) {
      await until("the host end is gone", () => hostLink(world, "pod1") === undefined);
    }
    const ops = await converge(world, wanted);
    assert.match(ops.map(opName).join(), expected);
    if (expected.source !== "^$") assert.deepEqual(stableLinks(world, wanted), before);
  },
}));

/** Everything about the links that must come back, however they were lost. */
function stableLinks(world: KernelWorld, wanted: WantedLan) {
  const { netns: { path }, attachments } = wanted;
  const all = [...links(world, path).values(), ...links(world, attachments[0]!.target!).values()];
  return all.map(({ name, index, mtu, address, alias, up, master, attrs, port }) => ({
    ...{ name, mtu, address, alias, up, master, attrs, port },
    // Small indexes are the kernel's choice.
    index: index < BRIDGE_INDEX ? undefined : index,
  })).toSorted((one, other) => one.name < other.name ? -1 : 1);
}

function opName(op: NetOp): string {
  const name = "name" in op ? op.name : op.path.slice(op.path.lastIndexOf("/") + 1);
  return `${op.op} ${name}`;
}

const underlays: Behaviour[] = [
  {
    name: "underlay() describes a device, and knows none that does not exist",
    async run(world) {
      await until("eth1 is usable", () => world.kernel.underlay("eth1")?.ipv6 === "usable");
      const eth1 = world.kernel.underlay("eth1");
      assert.deepEqual(eth1, {
        ...{ name: "eth1", index: eth1?.index, mtu: 1500, up: true, running: true, ipv6: "usable" },
      });
      world.changeLink(HOST, "eth1", { up: false });
      assert.deepEqual(world.kernel.underlay("eth1"), {
        ...{ ...eth1, up: false, running: false, ipv6: "none" },
      });
      assert.equal(world.kernel.underlay("eth9"), undefined);
    },
  },
  {
    name: "apply() keeps the rest of a LAN whose underlay is gone, and re-homes it to another",
    async run(world) {
      world.addLink(HOST, "eth2");
      world.changeLink(HOST, "eth2", { up: true });
      const devices = (device: string) => ({ vxlanDevMap: { [world.node]: device } });
      const attachments = ONE_MACVTAP(world);
      await converge(world, wantedLan(world, attachments, devices("eth2")));
      world.deleteLink(HOST, "eth2");
      const without = wantedLan(world, attachments, devices("eth2"));
      assert.equal(without.vxlan, undefined);
      assert.equal(links(world, without.netns.path).has("vx2"), false);
      assert.deepEqual(missing(world, without), []);
      const ops = await converge(world, wantedLan(world, attachments, devices("eth1")));
      assert.deepEqual(ops.map(opName), [
        ...["create-vxlan vx2", "join-bridge vx2", "change-link vx2"],
      ]);
    },
  },
  {
    name: "apply() moves the VXLAN from one underlay to another",
    async run(world) {
      world.addLink(HOST, "eth2");
      const devices = (device: string) => ({ vxlanDevMap: { [world.node]: device } });
      await converge(world, wantedLan(world, [], devices("eth2")));
      const ops = await converge(world, wantedLan(world, [], devices("eth1")));
      assert.deepEqual(ops.map(opName), [
        ...["delete-link vx2", "create-vxlan vx2", "join-bridge vx2", "change-link vx2"],
      ]);
    },
  },
  {
    name: "isGroupMember() tells whether a LAN's group is joined on a device",
    async run(world) {
      const { kernel } = world;
      const wanted = wantedLan(world);
      assert.equal(kernel.isGroupMember("eth1", "ff02::14"), false);
      await converge(world, wanted);
      assert.equal(kernel.isGroupMember("eth1", "ff02::14"), true);
      assert.equal(kernel.isGroupMember("lo", "ff02::14"), false);
      assert.equal(kernel.isGroupMember("eth1", "ff02::15"), false);
      world.changeLink(wanted.netns.path, "vx2", { up: false });
      assert.equal(kernel.isGroupMember("eth1", "ff02::14"), false);
    },
  },
  {
    name: "apply() takes a multicast group in whatever way it is written",
    async run(world) {
      await converge(world, wantedLan(world, [], { vxlanGrp: "FF05:0::1:0014" }));
      assert.equal(world.kernel.isGroupMember("eth1", "ff05::1:14"), true);
    },
  },
  {
    name: "apply() makes a VXLAN no bigger than its underlay carries, and refuses it to grow",
    async run(world) {
      const { vxlan, ...wanted } = wantedLan(world);
      const ops = missing(world, { ...wanted, vxlan: { ...vxlan!, mtu: 1431 } });
      await world.kernel.apply(ops);
      const { path: at } = wanted.netns;
      assert.equal(links(world, at).get("vx2")?.mtu, 1430);
      const grow: NetOp = { op: "change-link", at, name: "vx2", mtu: 1431 };
      await assert.rejects(world.kernel.apply([grow]), errnoIs("EINVAL"));
    },
  },
  {
    name: "apply() gives a bridge its MTU for good, whatever its ports have",
    async run(world) {
      const wanted = wantedLan(world, [veth(world, "pod1", { mtu: 1300 })], { mtu: 1400 });
      await converge(world, wanted);
      const { netns: { path }, attachments: [attachment] } = wanted;
      world.deleteLink(path, attachment!.port);
      await until("it is gone", () => !links(world, path).has(attachment!.port));
      assert.equal(links(world, path).get("br2")?.mtu, 1400);
    },
  },
];

const removing: Behaviour[] = [
  {
    name: "apply() of a detachment ends the port, the host end, the macvtap and nothing else",
    async run(world) {
      const attachments = ALL_KINDS(world);
      const wanted = wantedLan(world, attachments);
      await converge(world, wanted);
      const [gone, ...rest] = attachments;
      const observed = world.kernel.observe(scopeOf(wanted));
      await world.kernel.apply(detachment(observed, wanted.netns.path, gone!.port));
      assert.equal(links(world, wanted.netns.path).has("pod1.b"), false);
      assert.equal(hostLink(world, "pod1"), undefined);
      assert.equal(links(world, gone!.target!).has("net1"), false);
      assert.deepEqual(missing(world, { ...wanted, attachments: rest }), []);
    },
  },
  {
    name: "apply() of a deletion is fine with a link that is not there",
    async run(world) {
      const wanted = wantedLan(world);
      await converge(world, wanted);
      const ops: NetOp[] = [HOST, wanted.netns.path].map((at) => {
        return { op: "delete-link", at, name: "nothing" };
      });
      await world.kernel.apply([...ops, ...ops]);
      await world.kernel.apply([{ op: "delete-netns", path: `${world.netnsDir}/nothing` }]);
      assert.deepEqual(missing(world, wanted), []);
    },
  },
  {
    name: "apply() of a removal frees the path, the VNI and the spokes at once",
    async run(world) {
      const attachments = ALL_KINDS(world);
      const wanted = wantedLan(world, attachments);
      await converge(world, wanted);
      for (const { port } of attachments) {
        const observed = world.kernel.observe(scopeOf(wanted));
        await world.kernel.apply(detachment(observed, wanted.netns.path, port));
      }
      await world.kernel.apply(removal(wanted, links(world, wanted.netns.path).values()));
      assert.deepEqual(world.kernel.netnsPaths(), []);
      assert.deepEqual(world.kernel.observe(scopeOf(wanted)).netns, { state: "absent" });
      assert.deepEqual(world.kernel.markedHostLinks(), []);
      const again = wantedLan(world, attachments, { ns: "again", vxlan: "vx3" }, "again");
      await converge(world, again);
    },
  },
  {
    name: "apply() of a removal with attachments takes them along",
    async run(world) {
      const attachments = ALL_KINDS(world);
      const wanted = wantedLan(world, attachments);
      await converge(world, wanted);
      await world.kernel.apply(removal(wanted, links(world, wanted.netns.path).values()));
      await until("the host end is gone", () => hostLink(world, "pod1") === undefined);
      for (const { target } of attachments) {
        await until("it is gone", () => links(world, target!).size === 1);
      }
    },
  },
  {
    name: "observe() knows no namespace once a workload's is gone",
    async run(world) {
      const [attachment] = ONE_MACVTAP(world);
      const wanted = wantedLan(world, [attachment!]);
      await converge(world, wanted);
      const { target } = attachment!;
      assert.notEqual(world.kernel.netnsIdentity(target!), undefined);
      world.removeNetns(target!);
      assert.equal(world.kernel.netnsIdentity(target!), undefined);
      assert.equal(world.kernel.observe(scopeOf(wanted)).targets.has(target!), false);
      assert.deepEqual(missing(world, wanted), []);
    },
  },
];

const clashing: Behaviour[] = [
  {
    name: "apply() refuses a name that is taken (EEXIST)",
    async run(world) {
      world.addLink(HOST, "pod1");
      const wanted = wantedLan(world, ONE_MACVTAP(world));
      assert.throws(() => missing(world, wanted), codeIs("LinkClash"));
      // As it would be when the name was taken after the look.
      const before = world.snapshot([HOST]);
      const ops = diff(wanted, { ...world.kernel.observe(scopeOf(wanted)), hostLinks: new Map() });
      await assert.rejects(world.kernel.apply(ops), errnoIs("EEXIST"));
      assert.equal(world.snapshot([HOST]), before);
    },
  },
  {
    name: "apply() refuses an index that is taken (EEXIST)",
    async run(world) {
      const attachment = macvtap(world);
      world.addLink(HOST, "other", attachment.index);
      const ops = missing(world, wantedLan(world, [attachment]));
      await assert.rejects(world.kernel.apply(ops), errnoIs("EEXIST"));
      assert.equal(hostLink(world, "pod1"), undefined);
    },
  },
  {
    name: "apply() refuses an interface name that the workload has",
    async run(world) {
      for (const attachment of [macvtap(world, "pod1"), veth(world, "pod2")]) {
        world.addLink(attachment.target!, "net1");
        const wanted = wantedLan(world, [attachment]);
        assert.throws(() => missing(world, wanted), codeIs("LinkClash"));
        const targets = new Map();
        const ops = diff(wanted, { ...world.kernel.observe(scopeOf(wanted)), targets });
        await assert.rejects(world.kernel.apply(ops), errnoIs("EEXIST"));
        const observed = world.kernel.observe(scopeOf(wanted));
        await world.kernel.apply(detachment(observed, wanted.netns.path, attachment.port));
      }
    },
  },
  {
    name: "apply() refuses a second macvtap on a spoke",
    async run(world) {
      const attachment = macvtap(world);
      await converge(world, wantedLan(world, [attachment]));
      const { target: at, index } = attachment;
      const create: NetOp = {
        ...{ op: "create-macvtap", at: at!, name: "net2", index: index + 1 },
        lower: { name: "pod1", index },
      };
      await assert.rejects(world.kernel.apply([create]), errnoIs("EINVAL"));
    },
  },
  {
    name: "apply() names the device that has the VNI",
    async run(world) {
      await converge(world, wantedLan(world));
      const other = wantedLan(world, [], { ns: "other", vxlan: "vx9" }, "other");
      await assert.rejects(world.kernel.apply(missing(world, other)), (error) => {
        assert.ok(codeIs("VniClash")(error), String(error));
        assert.match(String(error), /VXLAN device "vx2"/);
        return true;
      });
    },
  },
  {
    name: "apply() names the device that has the UDP port",
    async run(world) {
      world.addVxlan("geneva", 4789, "external");
      await assert.rejects(world.kernel.apply(missing(world, wantedLan(world))), (error) => {
        assert.ok(codeIs("PortClash")(error), String(error));
        assert.match(String(error), /VXLAN device "geneva"/);
        return true;
      });
    },
  },
  {
    name: "apply() minds neither another VNI on the same port nor the same VNI on another",
    async run(world) {
      world.addVxlan("one", 4789, 5);
      world.addVxlan("two", 4790, 222);
      await converge(world, wantedLan(world));
    },
  },
  {
    name: "apply() refuses to hand out a tap device of another macvtap with the same index",
    async run(world) {
      const attachment = macvtap(world);
      await converge(world, wantedLan(world, [attachment]));
      const { target, index } = attachment;
      const decoy = target_(world, "decoy");
      const pair: NetOp[] = [
        {
          ...{ op: "create-veth", at: HOST, name: "pod2", index: index + 1, mtu: 1426 },
          ...{ address: "02:00:00:00:00:02" },
          peer: { at: decoy, name: "peer", mtu: 1426, address: "02:00:00:00:00:03" },
        },
        {
          ...{ op: "create-macvtap", at: decoy, name: "net1", index },
          lower: { name: "pod2", index: index + 1 },
        },
      ];
      await world.kernel.apply(pair);
      const own: NetOp = {
        ...{ op: "own-tap", at: decoy, name: "net1", index, owner: { uid: 107, gid: 107 } },
      };
      await assert.rejects(world.kernel.apply([own]), codeIs("TapClash"));
      assert.throws(() => world.kernel.verifyTap(decoy, "net1", index), codeIs("TapClash"));
      world.kernel.verifyTap(target!, "net1", index);
    },
  },
  {
    name: "apply() carries out what travels with a failure, and nothing after it",
    async run(world) {
      const wanted = wantedLan(world);
      await converge(world, wanted);
      const { path: at } = wanted.netns;
      const ops: NetOp[] = [
        { op: "change-link", at, name: "nothing", up: true },
        { op: "change-link", at, name: "br2", up: false },
        { op: "change-link", at: HOST, name: "eth1", up: false },
      ];
      await assert.rejects(world.kernel.apply(ops), errnoIs("ENODEV"));
      assert.equal(links(world, at).get("br2")?.up, false);
      assert.equal(hostLink(world, "eth1")?.up, true);
    },
  },
];

const namespaces: Behaviour[] = [
  {
    name: "observe() calls foreign what is not ours at a LAN's path",
    async run(world) {
      const wanted = wantedLan(world);
      const { path } = wanted.netns;
      const state = () => world.kernel.observe(scopeOf(wanted)).netns.state;
      world.writeFile(path, "precious");
      assert.equal(state(), "foreign");
      assert.throws(() => missing(world, wanted), codeIs("NetnsClash"));
      world.writeFile(path, `${"precious".repeat(1000)}\n`);
      assert.equal(state(), "foreign");
      world.addNetns(path);
      assert.equal(state(), "foreign");
      assert.deepEqual(world.kernel.observe(scopeOf(wanted)).links, new Map());
      assert.throws(() => missing(world, wanted), codeIs("NetnsClash"));
      world.changeLink(path, "lo", { alias: "k8slan lan=other name=default/other" });
      assert.equal(state(), "ours");
      assert.throws(() => missing(world, wanted), codeIs("NetnsClash"));
      await Promise.resolve();
    },
  },
  {
    name: "observe() knows a namespace that a crash left unfinished; apply() finishes it",
    async run(world) {
      const wanted = wantedLan(world);
      world.writeFile(wanted.netns.path, `${wanted.netns.mark}\n`);
      assert.deepEqual(world.kernel.observe(scopeOf(wanted)).netns, { state: "unfinished" });
      await converge(world, wanted);
    },
  },
  {
    name: "removeUnfinished() removes that file and no other",
    async run(world) {
      const { kernel } = world;
      const wanted = wantedLan(world);
      const { path, mark } = wanted.netns;
      world.writeFile(path, `${mark}\n`);
      kernel.removeUnfinished(path);
      assert.deepEqual(kernel.netnsPaths(), []);
      world.writeFile(path, "precious");
      kernel.removeUnfinished(path);
      assert.deepEqual(kernel.netnsPaths(), [path]);
      world.removeNetns(path);
      await converge(world, wanted);
      kernel.removeUnfinished(path);
      assert.deepEqual(missing(world, wanted), []);
    },
  },
  {
    name: "netnsIdentity() is the same for the same namespace only",
    async run(world) {
      const { kernel } = world;
      const [one, two] = [target_(world, "one"), target_(world, "two")];
      assert.equal(kernel.netnsIdentity(one), kernel.netnsIdentity(one));
      assert.notEqual(kernel.netnsIdentity(one), kernel.netnsIdentity(two));
      assert.equal(kernel.netnsIdentity(world.targetPath("none")), undefined);
      world.writeFile(world.targetPath("file"), "text");
      assert.equal(kernel.netnsIdentity(world.targetPath("file")), undefined);
      assert.equal(kernel.isHostNetns(one), false);
      assert.equal(kernel.isHostNetns("/proc/self/ns/net"), true);
      await Promise.resolve();
    },
  },
  {
    name: "netnsId() gives each namespace an id that stays, and none to what is not there",
    async run(world) {
      const { kernel } = world;
      const wanted = wantedLan(world);
      await converge(world, wanted);
      const other = target_(world, "other");
      const ids = [wanted.netns.path, other].map((path) => kernel.netnsId(path));
      assert.equal(new Set(ids).size, 2);
      assert.ok(ids.every((id) => id !== undefined && id >= 0), String(ids));
      assert.deepEqual([wanted.netns.path, other].map((path) => kernel.netnsId(path)), ids);
      assert.equal(kernel.netnsId(world.targetPath("none")), undefined);
    },
  },
  {
    name: "configure() puts addresses on a workload's interface, any number of times",
    async run(world) {
      const { kernel } = world;
      const [attachment] = ONE_MACVTAP(world);
      await converge(world, wantedLan(world, [attachment!]));
      const target = attachment!.target!;
      const ips = [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }, {
        address: "2001:db8::7/64",
      }];
      const routes = [{ dst: "198.51.100.0/24", gw: "192.0.2.1" }, { dst: "2001:db8:1::/48" }];
      kernel.configure(target, "net1", ips, routes);
      kernel.configure(target, "net1", ips, routes);
      assert.deepEqual(
        world.addressesOf(target, "net1").filter((address) => !address.startsWith("fe80")),
        ["192.0.2.7/24", "2001:db8::7/64"],
      );
      assert.throws(() => kernel.configure(target, "net9", ips, []), codeIs("LinkMissing"));
      assert.deepEqual(missing(world, wantedLan(world, [attachment!])), []);
    },
  },
];

export const KERNEL_CONTRACT: readonly Behaviour[] = [
  ...building,
  ...mending,
  ...underlays,
  ...removing,
  ...clashing,
  ...namespaces,
];
