/** Contract of a `Kernel`: the device below a VXLAN, its group and its MTU. */

import assert from "node:assert/strict";
import { HOST, type NetOp } from "../../../src/plan/ops.ts";
import { until } from "../until.ts";
import {
  type Behaviour,
  converge,
  errnoIs,
  links,
  missing,
  ONE_MACVTAP,
  opName,
  veth,
  wantedLan,
} from "./world.ts";

export const UNDERLAYS: readonly Behaviour[] = [
  {
    name: "underlay() describes a device, and knows none that does not exist",
    async run(world) {
      await until("eth1 is usable", () => world.kernel.underlay("eth1")?.ipv6 === "usable");
      const eth1 = world.kernel.underlay("eth1");
      assert.deepEqual(eth1, {
        ...{ name: "eth1", index: eth1?.index, mtu: 1500, up: true, running: true, ipv6: "usable" },
        addresses: eth1?.addresses,
      });
      assert.match(eth1?.addresses.join() ?? "", /^fe80::[0-9a-f:]+$/);
      world.changeLink(HOST, "eth1", { up: false });
      assert.deepEqual(world.kernel.underlay("eth1"), {
        ...{ ...eth1, up: false, running: false, ipv6: "none", addresses: [] },
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
