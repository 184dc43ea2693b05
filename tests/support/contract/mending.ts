/** Contract of a `Kernel`: whatever happened to a LAN's links is mended. */

import assert from "node:assert/strict";
import { BRIDGE_INDEX } from "../../../src/plan/identity.ts";
import { HOST } from "../../../src/plan/ops.ts";
import type { WantedLan } from "../../../src/plan/wanted.ts";
import { until } from "../until.ts";
import {
  type Behaviour,
  converge,
  hostLink,
  type KernelWorld,
  links,
  ONE_MACVTAP,
  opName,
  wantedLan,
} from "./world.ts";

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
      "bridge with another address",
      (world, { netns }) => world.changeLink(netns.path, "br2", { address: "02:00:00:00:00:99" }),
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

export const MENDING: readonly Behaviour[] = DRIFTS.map(([what, drift, expected]) => ({
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
