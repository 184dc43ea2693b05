/** Contract of a `Kernel`: VXLANs that send to each peer in turn. */

import assert from "node:assert/strict";
import { UNKNOWN_MAC } from "../../../src/base/mac.ts";
import type { PeerEntry } from "../../../src/netlink/forwarding.ts";
import { HOST, type NetOp } from "../../../src/plan/ops.ts";
import type { Peers } from "../../../src/plan/vtep.ts";
import type { WantedLan } from "../../../src/plan/wanted.ts";
import { until } from "../until.ts";
import {
  type Behaviour,
  converge,
  type KernelWorld,
  links,
  missing,
  ONE_MACVTAP,
  opName,
  wantedLan,
} from "./world.ts";

const OWN = "2001:db8:1::1";
const [B, C, D] = ["2001:db8:1::b", "2001:db8:1::c", "2001:db8:2::d"] as const;
const ROUTED = [B, C, D];
const LINK_LOCAL = ["fe80::b", "fe80::c"];

function unicast(world: KernelWorld, peers: Peers, spec = {}): WantedLan {
  return wantedLan(world, [], { underlay: "unicast", ...spec }, undefined, peers);
}

/** As `bridge fdb show` has them: to whom goes what the VXLAN knows no place of. */
function flooding(world: KernelWorld, { netns, vxlan }: WantedLan): string[] {
  const scope = { netnsPath: netns.path, hostLinks: [], targets: [] };
  const { forwarding } = world.kernel.observe(scope);
  const index = links(world, netns.path).get(vxlan!.name)?.index;
  return forwarding.filter((entry) => entry.mac === UNKNOWN_MAC && entry.index === index)
    .map(({ dst }) => dst!).sort();
}

/** With an address that is routed, and with link-local ones alone. */
const KINDS = [["routed", OWN, ROUTED], ["link-local", undefined, LINK_LOCAL]] as const;

async function start(world: KernelWorld, own: string | undefined): Promise<void> {
  await until("eth1 is usable", () => world.kernel.underlay("eth1")?.addresses.length === 1);
  if (own !== undefined) world.addAddress("eth1", `${own}/64`);
}

export const PEERS: readonly Behaviour[] = [
  {
    name: "underlay() names the routed address before the link-local one",
    async run(world) {
      await start(world, OWN);
      const addresses = world.kernel.underlay("eth1")?.addresses ?? [];
      assert.deepEqual([addresses[0], addresses.length], [OWN, 2]);
    },
  },
  {
    name: "ownAddresses() has the routed addresses of all devices, usable or not",
    async run(world) {
      await start(world, OWN);
      world.addLink(HOST, "eth2");
      world.addAddress("eth2", "2001:db8:7::1/64");
      const own = world.kernel.ownAddresses();
      for (const address of [OWN, "2001:db8:7::1"]) assert.ok(own.has(address), address);
      assert.equal([...own].some((address) => address.startsWith("fe80")), false);
    },
  },
  ...KINDS.flatMap(([kind, own, peers]): Behaviour[] => [
    {
      name: `apply() makes a LAN that sends to each of its ${kind} peers`,
      async run(world) {
        await start(world, own);
        const wanted = { ...unicast(world, peers), attachments: ONE_MACVTAP(world) };
        await converge(world, wanted);
        assert.deepEqual(flooding(world, wanted), peers);
        const attrs = links(world, wanted.netns.path).get("vx2")?.attrs;
        assert.ok(attrs?.kind === "vxlan");
        assert.deepEqual([attrs.group, attrs.local], [undefined, wanted.vxlan!.local]);
        assert.equal(attrs.local, world.kernel.underlay("eth1")?.addresses[0]);
      },
    },
    {
      name: `apply() adds and removes ${kind} peers, and touches nothing else`,
      async run(world) {
        await start(world, own);
        await converge(world, unicast(world, peers.slice(0, 1)));
        for (const next of [peers, peers.slice(1), [], peers]) {
          const ops = await converge(world, unicast(world, next));
          assert.deepEqual(ops.map(opName), ["change-peers vx2"]);
          assert.deepEqual(flooding(world, unicast(world, next)), next);
        }
      },
    },
    {
      name: `apply() carries out a change of ${kind} peers twice as once`,
      async run(world) {
        await start(world, own);
        await converge(world, unicast(world, peers.slice(0, 1)));
        const wanted = unicast(world, peers.slice(1));
        const ops = missing(world, wanted);
        await world.kernel.apply(ops);
        await world.kernel.apply(ops);
        assert.deepEqual(missing(world, wanted), []);
        assert.deepEqual(flooding(world, wanted), peers.slice(1));
      },
    },
    {
      name: `apply() mends a table of ${kind} peers that somebody changed`,
      async run(world) {
        await start(world, own);
        const wanted = unicast(world, peers);
        await converge(world, wanted);
        const { netns: { path }, vxlan } = wanted;
        const via = own === undefined ? { via: vxlan!.underlay.index } : {};
        const entry = (dst: string): PeerEntry => ({ mac: UNKNOWN_MAC, dst, ...via });
        world.changeForwarding(path, "vx2", "del", entry(peers[0]!));
        world.changeForwarding(path, "vx2", "append", entry(`${peers[0]}:99`));
        assert.deepEqual((await converge(world, wanted)).map(opName), ["change-peers vx2"]);
        assert.deepEqual(flooding(world, wanted), peers);
      },
    },
    {
      name: `apply() gives a VXLAN that is made anew its ${kind} peers back`,
      async run(world) {
        await start(world, own);
        const wanted = unicast(world, peers);
        await converge(world, wanted);
        world.deleteLink(wanted.netns.path, "vx2");
        const ops = await converge(world, wanted);
        assert.deepEqual(ops.map(opName), [
          ...["create-vxlan vx2", "change-peers vx2", "join-bridge vx2", "change-link vx2"],
        ]);
        assert.deepEqual(flooding(world, wanted), peers);
      },
    },
    {
      name: `apply() forgets what was learned of a ${kind} peer that leaves, and of no other`,
      async run(world) {
        await start(world, own);
        const wanted = unicast(world, peers);
        await converge(world, wanted);
        const { netns: { path }, vxlan } = wanted;
        const via = own === undefined ? { via: vxlan!.underlay.index } : {};
        const learned = peers.map((dst, at) => ({ mac: `02:00:00:00:00:0${at}`, dst, ...via }));
        for (const entry of learned) world.changeForwarding(path, "vx2", "append", entry);
        assert.deepEqual(missing(world, wanted), []);
        await converge(world, unicast(world, peers.slice(1)));
        const { forwarding } = world.kernel.observe({
          netnsPath: path,
          hostLinks: [],
          targets: [],
        });
        const left = forwarding.filter(({ mac }) => mac !== UNKNOWN_MAC).map(({ dst }) => dst);
        assert.deepEqual(left.sort(), peers.slice(1));
      },
    },
  ]),
  {
    name: "apply() leaves peers alone while nobody tells them",
    async run(world) {
      await start(world, OWN);
      const wanted = unicast(world, ROUTED);
      await converge(world, wanted);
      assert.deepEqual(missing(world, unicast(world, "unknown")), []);
      assert.deepEqual(missing(world, unicast(world, "unnamed")), []);
    },
  },
  {
    name: "apply() makes the VXLAN anew where this node's address is another one",
    async run(world) {
      await start(world, undefined);
      const spec = { ns: "knlvrf" };
      await converge(world, unicast(world, LINK_LOCAL, spec));
      world.addAddress("eth1", `${OWN}/64`);
      const wanted = unicast(world, [...ROUTED, ...LINK_LOCAL], spec);
      assert.deepEqual((await converge(world, wanted)).map(opName), [
        ...["delete-link vx2", "create-vxlan vx2", "change-peers vx2", "join-bridge vx2"],
        "change-link vx2",
      ]);
      // A link-local peer cannot be reached from there.
      assert.deepEqual(flooding(world, wanted), ROUTED);
    },
  },
  {
    name: "apply() names link-local peers also where the index of the underlay is taken in the LAN",
    async run(world) {
      await start(world, undefined);
      const wanted = unicast(world, LINK_LOCAL);
      const { vxlan: _, ...without } = wanted;
      await converge(world, without);
      world.addLink(wanted.netns.path, "other", wanted.vxlan!.underlay.index);
      await converge(world, wanted);
      assert.deepEqual(flooding(world, wanted), LINK_LOCAL);
      // Without it, the kernel would take no more peers.
      world.deleteLink(wanted.netns.path, "other");
      const ops: NetOp[] = await converge(world, unicast(world, LINK_LOCAL));
      assert.deepEqual(ops.map(opName).slice(0, 2), ["delete-link vx2", "create-vxlan vx2"]);
      assert.deepEqual(flooding(world, wanted), LINK_LOCAL);
    },
  },
  {
    name: "apply() lets LANs with peers and LANs with a group share an underlay and a port",
    async run(world) {
      await start(world, OWN);
      const one = unicast(world, ROUTED);
      const two = wantedLan(world, [], { ns: "other", vni: 223 }, "other");
      const three = wantedLan(
        ...[world, [], { ns: "third", vni: 224, underlay: "unicast" }, "third", ROUTED] as const,
      );
      for (const wanted of [one, two, three]) await converge(world, wanted);
      assert.ok(world.kernel.isGroupMember("eth1", "ff02::14"));
      assert.equal(world.kernel.underlay("eth1")?.name, "eth1");
      assert.deepEqual(missing(world, one), []);
      world.changeLink(HOST, "eth1", { up: true });
    },
  },
];
