/** Contract of a `Kernel`: what is taken is refused, and whoever has it is named. */

import assert from "node:assert/strict";
import { scopeOf } from "../lan_fixture.ts";
import { detachment, diff } from "../../../src/plan/diff.ts";
import { HOST, type NetOp } from "../../../src/plan/ops.ts";
import {
  type Behaviour,
  codeIs,
  converge,
  errnoIs,
  hostLink,
  links,
  macvtap,
  missing,
  newTarget,
  ONE_MACVTAP,
  veth,
  wantedLan,
} from "./world.ts";

export const CLASHING: readonly Behaviour[] = [
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
      const decoy = newTarget(world, "decoy");
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
