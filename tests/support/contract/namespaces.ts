/** Contract of a `Kernel`: what is at a path, and what can be put into it. */

import assert from "node:assert/strict";
import { scopeOf } from "../lan_fixture.ts";
import {
  type Behaviour,
  codeIs,
  converge,
  missing,
  newTarget,
  ONE_MACVTAP,
  wantedLan,
} from "./world.ts";

export const NAMESPACES: readonly Behaviour[] = [
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
      const [one, two] = [newTarget(world, "one"), newTarget(world, "two")];
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
      const other = newTarget(world, "other");
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
