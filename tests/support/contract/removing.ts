/** Contract of a `Kernel`: what goes, what goes with it, and what it leaves free. */

import assert from "node:assert/strict";
import { scopeOf } from "../lan_fixture.ts";
import { detachment, removal } from "../../../src/plan/diff.ts";
import { HOST, type NetOp } from "../../../src/plan/ops.ts";
import { until } from "../until.ts";
import {
  ALL_KINDS,
  type Behaviour,
  converge,
  hostLink,
  links,
  missing,
  ONE_MACVTAP,
  wantedLan,
} from "./world.ts";

export const REMOVING: readonly Behaviour[] = [
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
