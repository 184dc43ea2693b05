/** Contract of a `Kernel`: what is built is what was asked for. */

import assert from "node:assert/strict";
import { BRIDGE_INDEX } from "../../../src/plan/identity.ts";
import { scopeOf, seedLan } from "../lan_fixture.ts";
import type { LinkInfo } from "../../../src/netlink/link_info.ts";
import { HOST } from "../../../src/plan/ops.ts";
import { settled } from "../settled.ts";
import {
  ALL_KINDS,
  type Attach,
  type Behaviour,
  converge,
  macvtap,
  missing,
  ONE_MACVTAP,
  wantedLan,
} from "./world.ts";

export const BUILDING: readonly Behaviour[] = [
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
    name: "linkAt() reports one link of a namespace, if both are there",
    async run(world) {
      const [attachment] = ONE_MACVTAP(world);
      const wanted = wantedLan(world, [attachment!]);
      await converge(world, wanted);
      const { target, ifname, address, mtu } = attachment!;
      const link = world.kernel.linkAt(target!, ifname);
      assert.deepEqual([link?.name, link?.address, link?.mtu], [ifname, address, mtu]);
      const { targets } = world.kernel.observe(scopeOf(wanted));
      assert.deepEqual(link, targets.get(target!)?.get(ifname));
      assert.equal(world.kernel.linkAt(target!, "nothing"), undefined);
      assert.equal(world.kernel.linkAt(`${target}-nothing`, ifname), undefined);
    },
  },
  {
    name: "observe() changes nothing",
    async run(world) {
      const wanted = wantedLan(world, ALL_KINDS(world));
      await converge(world, wanted);
      const places = [HOST, wanted.netns.path, ...scopeOf(wanted).targets];
      const look = () => [world.snapshot(places)];
      const before = await settled(() => Promise.resolve(look()));
      world.kernel.observe(scopeOf(wanted));
      const nowhere = `${world.netnsDir}/nowhere`;
      world.kernel.observe({ netnsPath: nowhere, hostLinks: ["nothing"], targets: [nowhere] });
      assert.deepEqual(look(), before);
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
  {
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
  },
];
