import assert from "node:assert/strict";
import { AgentParts, POD1, POD2 } from "../../tests/support/agent_parts.ts";
import { FakeLink, FakeNetns } from "../../tests/support/fake_machine.ts";
import type { LanSpec } from "../api/lan.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { HOST } from "../plan/ops.ts";

const NETNS = "/run/k8slan/netns/knlvrf";
const POD3 = "/run/netns/pod3";

/** "pod1" is a macvtap, "pod2" a veth, and a third has no spoke. */
async function running(): Promise<AgentParts> {
  const agent = new AgentParts();
  agent.kernel.machine.addNetns(POD3);
  await agent.add();
  await agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2", attach: "veth" });
  await agent.add({ containerId: "c3", netns: POD3 }, { spoke: undefined });
  await agent.reconciler.reconcile(SEED_UID);
  agent.kernel.applied.length = 0;
  return agent;
}

function conditions(agent: AgentParts): string[] {
  return agent.reconciler.conditions(SEED_UID).map(({ reason }) => reason);
}

/** The links as they are, but for their indexes, which differ after a repair. */
function shape(agent: AgentParts): unknown {
  return Object.fromEntries(
    [...agent.kernel.machine.files].flatMap(([path, file]) =>
      file instanceof FakeNetns
        ? [...file.links.values()].map((link) => [`${path} ${link.name}`, shapeOf(link)])
        : []
    ),
  );
}

function shapeOf(
  { name, up, arp, mtu, address, alias, bridge, groupForwardMask, attrs }: FakeLink,
) {
  return { name, up, arp, mtu, address, alias, bridge: bridge?.name, groupForwardMask, attrs };
}

Deno.test("reconcile() of what is right writes nothing", async () => {
  using agent = await running();
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(agent.kernel.applied, []);
  assert.deepEqual(conditions(agent), []);
});

const drifts: readonly (readonly [string, (agent: AgentParts) => void])[] = [
  ["a bridge that is down", ({ kernel }) => kernel.link(NETNS, "br2").up = false],
  ["a bridge of another MTU", ({ kernel }) => kernel.link(NETNS, "br2").mtu = 1300],
  ["a bridge that is gone", ({ kernel }) => kernel.machine.remove(kernel.link(NETNS, "br2"))],
  ["a bridge that snoops", ({ kernel }) => {
    const bridge = kernel.link(NETNS, "br2");
    if (bridge.attrs.kind === "bridge") bridge.attrs = { ...bridge.attrs, multicastSnooping: true };
  }],
  [
    "a VXLAN that is down",
    ({ kernel }) => kernel.machine.setUp("", kernel.link(NETNS, "vx2"), false),
  ],
  ["a VXLAN that is gone", ({ kernel }) => kernel.machine.remove(kernel.link(NETNS, "vx2"))],
  ["a VXLAN that is no port", ({ kernel }) => kernel.machine.leave(kernel.link(NETNS, "vx2"))],
  [
    "a VXLAN that was renamed",
    ({ kernel }) => kernel.machine.rename(kernel.link(NETNS, "vx2"), "x"),
  ],
  ["a port that is down", ({ kernel }) => kernel.link(NETNS, "pod1.b").up = false],
  ["a port that is no port", ({ kernel }) => kernel.machine.leave(kernel.link(NETNS, "pod2.b"))],
  ["a port that lets too little pass", ({ kernel }) => {
    kernel.link(NETNS, "pod1.b").groupForwardMask = 0;
  }],
  ["a loopback that is down", ({ kernel }) => kernel.link(NETNS, "lo").up = false],
  ["a host end that is down", ({ kernel }) => kernel.link(HOST, "pod1").up = false],
  ["a host end that answers ARP", ({ kernel }) => kernel.link(HOST, "pod1").arp = true],
  ["a spoke that is gone", ({ kernel }) => kernel.machine.remove(kernel.link(HOST, "pod1"))],
  ["a macvtap that is gone", ({ kernel }) => kernel.machine.remove(kernel.link(POD1, "net1"))],
  ["a veth that is gone", ({ kernel }) => kernel.machine.remove(kernel.link(POD2, "net1"))],
  ["a veth without spoke that is gone", ({ kernel }) => {
    kernel.machine.remove(kernel.link(POD3, "net1"));
  }],
  ["a namespace that is gone", ({ kernel }) => kernel.machine.removePath(NETNS)],
];

for (const [what, change] of drifts) {
  Deno.test(`reconcile() heals ${what}`, async () => {
    using agent = await running();
    const before = shape(agent);
    change(agent);
    assert.notDeepEqual(shape(agent), before);
    await agent.reconciler.reconcile(SEED_UID);
    assert.deepEqual(shape(agent), before);
    assert.deepEqual(conditions(agent), []);
    agent.kernel.applied.length = 0;
    await agent.reconciler.reconcile(SEED_UID);
    assert.deepEqual(agent.kernel.applied, []);
  });
}

Deno.test("reconcile() heals a VXLAN whose underlay was made anew", async () => {
  using agent = await running();
  const { kernel } = agent;
  kernel.machine.remove(kernel.link(HOST, "eth1"));
  kernel.addUnderlay("other");
  kernel.addUnderlay("eth1");
  await agent.reconciler.reconcile(SEED_UID);
  const vxlan = kernel.link(NETNS, "vx2");
  assert.equal(vxlan.lower, kernel.link(HOST, "eth1"));
  assert.deepEqual([vxlan.up, vxlan.bridge?.name, conditions(agent)], [true, "br2", []]);
});

Deno.test("reconcile() joins the group again that an underlay has forgotten", async () => {
  using agent = await running();
  const vxlan = agent.kernel.link(NETNS, "vx2");
  vxlan.joined = false;
  await agent.reconciler.reconcile(SEED_UID);
  assert.equal(vxlan.joined, true);
});

const ADDRESSES = {
  op: "configure",
  ...{ containerId: "c1", ifname: "net1", netns: POD1 },
  ips: [{ address: "192.0.2.7/24" }],
  routes: [{ dst: "0.0.0.0/0", gw: "192.0.2.1" }],
} as const;

Deno.test("reconcile() gives an interface that it made anew its addresses back", async () => {
  using agent = await running();
  await agent.service.configure(ADDRESSES);
  agent.kernel.machine.remove(agent.kernel.link(POD1, "net1"));
  await agent.reconciler.reconcile(SEED_UID);
  const { addresses, routes } = agent.kernel.link(POD1, "net1");
  assert.deepEqual([addresses, routes], [["192.0.2.7/24"], ADDRESSES.routes]);
  assert.ok(agent.log.messages("warn").some((message) => message.includes("made anew")));
});

Deno.test("reconcile() gives the addresses back when making it took two passes", async () => {
  using agent = await running();
  await agent.service.configure(ADDRESSES);
  agent.kernel.machine.remove(agent.kernel.link(HOST, "pod1"));
  agent.failOps(({ op }) => op === "own-tap");
  await agent.reconciler.reconcile(SEED_UID);
  assert.notDeepEqual(conditions(agent), []);
  agent.healKernel();
  await agent.reconciler.reconcile(SEED_UID);
  const { addresses, tapOwner } = agent.kernel.link(POD1, "net1");
  assert.deepEqual([addresses, tapOwner?.uid], [["192.0.2.7/24"], 107]);
  assert.deepEqual(conditions(agent), []);
});

Deno.test("reconcile() gives the addresses back when that failed at first", async () => {
  using agent = await running();
  await agent.service.configure(ADDRESSES);
  agent.kernel.machine.remove(agent.kernel.link(POD1, "net1"));
  const configure = agent.kernel.configure;
  agent.kernel.configure = () => {
    throw new Error("no");
  };
  await agent.reconciler.reconcile(SEED_UID);
  agent.kernel.configure = configure;
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(agent.kernel.link(POD1, "net1").addresses, ["192.0.2.7/24"]);
  assert.deepEqual(conditions(agent), []);
});

Deno.test("reconcile() finishes a macvtap of which making anew failed halfway", async () => {
  using agent = await running();
  agent.kernel.machine.remove(agent.kernel.link(POD1, "net1"));
  agent.failOps(({ op }) => op === "own-tap");
  await agent.reconciler.reconcile(SEED_UID);
  agent.healKernel();
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(agent.kernel.link(POD1, "net1").tapOwner, { uid: 107, gid: 107 });
});

for (
  const [what, change, look] of [
    ["takes down", (link: FakeLink) => link.up = false, (link: FakeLink) => link.up],
    ["gives another MTU", (link: FakeLink) => link.mtu = 1280, (link: FakeLink) => link.mtu],
    ["gives another address", (link: FakeLink) => {
      link.address = "02:00:00:00:00:77";
    }, (link: FakeLink) => link.address],
  ] as const
) {
  Deno.test(`reconcile() leaves an interface alone that its workload ${what}`, async () => {
    using agent = await running();
    const link = agent.kernel.link(POD1, "net1");
    change(link);
    const before = look(link);
    await agent.reconciler.reconcile(SEED_UID);
    assert.equal(look(agent.kernel.link(POD1, "net1")), before);
    assert.deepEqual(agent.kernel.applied, []);
  });
}

/** The veth of "pod2" is gone, and its workload has something else of that name. */
function spoil(agent: AgentParts): FakeLink {
  const { machine } = agent.kernel;
  machine.remove(agent.kernel.link(POD2, "net1"));
  const netns = machine.files.get(POD2);
  assert.ok(netns instanceof FakeNetns);
  const own = new FakeLink(netns, { name: "net1", attrs: { kind: "other", name: "dummy" } });
  machine.add("add a dummy", own);
  return own;
}

Deno.test("reconcile() heals the others when one workload stands in the way", async () => {
  using agent = await running();
  const own = spoil(agent);
  agent.kernel.machine.remove(agent.kernel.link(NETNS, "vx2"));
  agent.kernel.machine.remove(agent.kernel.link(POD1, "net1"));
  agent.kernel.machine.remove(agent.kernel.link(POD3, "net1"));
  await agent.reconciler.reconcile(SEED_UID);
  assert.equal(agent.kernel.link(NETNS, "vx2").up, true);
  assert.equal(agent.kernel.link(POD1, "net1").attrs.kind, "macvtap");
  assert.equal(agent.kernel.link(POD3, "net1").attrs.kind, "veth");
  assert.equal(agent.kernel.link(POD2, "net1"), own);
});

Deno.test("reconcile() names the attachment that it cannot heal", async () => {
  using agent = await running();
  spoil(agent);
  await agent.reconciler.reconcile(SEED_UID);
  const [condition, ...others] = agent.reconciler.conditions(SEED_UID);
  assert.deepEqual(others, []);
  assert.equal(condition?.reason, "AttachmentBroken");
  assert.match(
    condition.message,
    /^Interface "net1" of container "c2" on LAN "k8slan-system\/lan-test", spoke "pod2", is not as it should be and cannot be mended: Interface "net1" exists already/,
  );
});

Deno.test("reconcile() clears the condition when the way is free", async () => {
  using agent = await running();
  const own = spoil(agent);
  await agent.reconciler.reconcile(SEED_UID);
  agent.kernel.machine.remove(own);
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(conditions(agent), []);
  assert.equal(agent.kernel.link(POD2, "net1").attrs.kind, "veth");
  assert.ok(agent.log.messages("info").includes("Conditions cleared"));
});

Deno.test("reconcile() that fails says why, tries again and clears it", async () => {
  using agent = await running();
  agent.kernel.link(NETNS, "br2").up = false;
  agent.failOps(() => true);
  await agent.reconciler.reconcile(SEED_UID);
  const [condition] = agent.reconciler.conditions(SEED_UID);
  assert.deepEqual(condition, {
    reason: "ReconcileFailed",
    message: 'injected failure of "change-link"',
  });
  agent.healKernel();
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(conditions(agent), []);
});

const oddities: readonly (readonly [string, (agent: AgentParts) => void, string])[] = [
  [
    "an underlay that is down",
    ({ kernel }) => kernel.link(HOST, "eth1").up = false,
    "UnderlayDown",
  ],
  [
    "an underlay without IPv6",
    ({ kernel }) => kernel.link(HOST, "eth1").linkLocal = "none",
    "NoIpv6Source",
  ],
  ["an underlay that is missing", ({ registry }) => {
    registry.replace([seedLan({ vxlanDevMap: { worker1: "eth9" } })]);
  }, "UnderlayMissing"],
  ["a spoke that goes while in use", ({ registry }) => {
    registry.replace([seedLan({ spokes: ["pod2"] })]);
  }, "SpokeRemoved"],
];

for (const [what, change, reason] of oddities) {
  Deno.test(`reconcile() tells of ${what}, and clears it`, async () => {
    using agent = await running();
    change(agent);
    await agent.reconciler.reconcile(SEED_UID);
    assert.deepEqual(conditions(agent), [reason]);
    agent.kernel.link(HOST, "eth1").up = true;
    agent.kernel.link(HOST, "eth1").linkLocal = "usable";
    agent.registry.replace([seedLan()]);
    await agent.reconciler.reconcile(SEED_UID);
    assert.deepEqual(conditions(agent), []);
  });
}

Deno.test("reconcile() leaves what is attached alone while the underlay is missing", async () => {
  using agent = await running();
  agent.kernel.machine.remove(agent.kernel.link(HOST, "eth1"));
  await agent.reconciler.reconcile(SEED_UID);
  assert.equal(agent.kernel.link(NETNS, "br2").up, true);
  assert.equal(agent.kernel.link(POD1, "net1").attrs.kind, "macvtap");
});

Deno.test("reconcile() names interfaces that have become too large for the underlay", async () => {
  using agent = await running();
  agent.kernel.link(HOST, "eth1").mtu = 1400;
  await agent.reconciler.reconcile(SEED_UID);
  const [condition] = agent.reconciler.conditions(SEED_UID);
  assert.equal(condition?.reason, "AttachmentMtuTooLarge");
  assert.match(
    condition.message,
    /now carries 1326 bytes on this node, less than the MTU of what is attached to it: "pod1", "pod2", "c3"; lower/,
  );
  assert.equal(agent.kernel.link(NETNS, "br2").mtu, 1326);
  assert.equal(agent.kernel.link(POD1, "net1").mtu, 1426);
});

Deno.test("reconcile() names interfaces that have become too large for the LAN, and changes none", async () => {
  using agent = await running();
  agent.registry.replace([seedLan({ mtu: 1300 })]);
  await agent.reconciler.reconcile(SEED_UID);
  const [condition, ...others] = agent.reconciler.conditions(SEED_UID);
  assert.deepEqual(others, []);
  assert.equal(condition?.reason, "AttachmentMtuTooLarge");
  assert.match(
    condition.message,
    /now carries 1300 bytes .* "pod1".*; lower theirs or raise spec\.mtu$/,
  );
  assert.equal(agent.kernel.link(NETNS, "vx2").mtu, 1300);
  assert.equal(agent.kernel.link(POD1, "net1").mtu, 1426);
  agent.registry.replace([seedLan({ mtu: 1428 })]);
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(agent.reconciler.conditions(SEED_UID), []);
  assert.equal(agent.kernel.link(NETNS, "vx2").mtu, 1428);
  assert.equal(agent.kernel.link(POD1, "net1").mtu, 1426);
});

Deno.test("reconcile() names no more than five of many", async () => {
  using agent = new AgentParts();
  for (let at = 0; at < 7; at++) {
    agent.kernel.machine.addNetns(`/run/netns/n${at}`);
    await agent.add({ containerId: `c${at}`, netns: `/run/netns/n${at}` }, { spoke: undefined });
  }
  agent.kernel.link(HOST, "eth1").mtu = 1400;
  await agent.reconciler.reconcile(SEED_UID);
  const [condition] = agent.reconciler.conditions(SEED_UID);
  assert.match(condition!.message, /: "c0", "c1", "c2", "c3", "c4" and 2 more; lower/);
});

for (
  const [what, lans] of [
    ["is configured no more", []],
    ["lost to another LAN", [
      seedLan(),
      {
        ...seedLan({ ns: "other", spokes: [] }, "a"),
        metadata: {
          ...seedLan().metadata,
          ...{ name: "other", uid: "a", creationTimestamp: "2020-01-01T00:00:00Z" },
        },
      },
    ]],
  ] as const
) {
  Deno.test(`reconcile() leaves a LAN in use alone that ${what}`, async () => {
    using agent = await running();
    agent.registry.replace(lans);
    agent.kernel.link(NETNS, "br2").up = false;
    const before = agent.snapshot();
    await agent.reconciler.reconcile(SEED_UID);
    assert.deepEqual(agent.snapshot(), before);
    assert.deepEqual(conditions(agent), []);
  });
}

Deno.test("reconcile() detaches a workload that is gone, from a LAN configured no more too", async () => {
  using agent = await running();
  agent.registry.replace([]);
  for (const path of [POD1, POD2, POD3]) agent.kernel.machine.removePath(path);
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual([...agent.attachments.all()], []);
  assert.deepEqual(agent.kernel.netnsPaths(), []);
});

Deno.test("reconcile() detaches workloads that are gone, and no others", async () => {
  using agent = await running();
  agent.kernel.machine.removePath(POD2);
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual([...agent.attachments.all()].map(({ containerId }) => containerId), [
    "c1",
    "c3",
  ]);
});

Deno.test("reconcile() removes what an attach and its undo left, the LAN included", async () => {
  using untouched = new AgentParts();
  using agent = new AgentParts();
  agent.failOps(({ op }) => op === "own-tap" || op === "delete-link" || op === "delete-netns");
  await assert.rejects(agent.add());
  agent.healKernel();
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(agent.snapshot(), untouched.snapshot());
});

Deno.test("reconcile() of a LAN that nobody knows does nothing", async () => {
  using agent = await running();
  await agent.reconciler.reconcile("nobody");
  assert.deepEqual(agent.kernel.applied, []);
  assert.deepEqual(agent.reconciler.conditions("nobody"), []);
});

Deno.test("reconcile() leaves everything where it is when spec.ns is changed in use", async () => {
  using agent = await running();
  agent.registry.replace([seedLan({ ns: "elsewhere" })]);
  const before = agent.snapshot();
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(agent.snapshot(), before);
  const [condition] = agent.reconciler.conditions(SEED_UID);
  assert.match(
    condition!.message,
    /spec\.ns of LAN "k8slan-system\/lan-test" was changed.*change it back/,
  );
});

Deno.test("reconcile() has events lead to the LAN, in a namespace that it made anew too", async () => {
  using agent = await running();
  const tracked: (number | undefined)[] = [];
  const track = agent.drift.track.bind(agent.drift);
  agent.drift.track = (lanId, dependencies) => {
    tracked.push(dependencies.netnsId);
    track(lanId, dependencies);
  };
  agent.kernel.machine.removePath(NETNS);
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(tracked, [undefined, agent.kernel.netnsId(NETNS)]);
});

Deno.test("reconcile() at once with attach and detach of the same LAN does them one by one", async () => {
  using agent = await running();
  await Promise.all([
    agent.reconciler.reconcile(SEED_UID),
    agent.service.del({ containerId: "c1", ifname: "net1" }),
    agent.reconciler.reconcile(SEED_UID),
    agent.add({ containerId: "c9" }),
    agent.reconciler.reconcile(SEED_UID),
  ]);
  assert.deepEqual(conditions(agent), []);
  assert.deepEqual(
    [...agent.attachments.all()].map(({ containerId }) => containerId),
    ["c2", "c3", "c9"],
  );
});

Deno.test("conditions() name a VXLAN of another program, whether or not the LAN is used", async () => {
  using agent = new AgentParts();
  const { kernel } = agent;
  const cilium = new FakeLink(kernel.machine.host, {
    ...{ name: "cilium_vxlan", mtu: 1500 },
    attrs: {
      ...{ kind: "vxlan", vni: 0, port: 4789, hopLimit: 0, learning: false, ageingSeconds: 300 },
      ...{ external: true, alone: true },
    },
  });
  kernel.machine.add("start Cilium", cilium);
  agent.foreign.lookAgain();
  assert.deepEqual(conditions(agent), ["VxlanPortTaken"]);
  await agent.add();
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(conditions(agent), ["VxlanPortTaken"]);
  kernel.machine.remove(cilium);
  agent.foreign.lookAgain();
  assert.deepEqual(conditions(agent), []);
});

/** The LAN of `agent` with other values in its spec. */
function change(agent: AgentParts, spec: Partial<LanSpec>): Promise<boolean> {
  agent.registry.replace([seedLan(spec)]);
  return agent.reconciler.reconcile(SEED_UID);
}

function filters(agent: AgentParts): Record<string, unknown> {
  const file = agent.kernel.machine.files.get(NETNS);
  return Object.fromEntries(file instanceof FakeNetns ? file.filters ?? [] : []);
}

Deno.test("reconcile() gives what is attached filters and takes them away", async () => {
  using agent = await running();
  await change(agent, { pinMac: true });
  const macs = [...agent.attachments.all()].map(({ port, details }) => [port, details?.mac]);
  assert.deepEqual(
    filters(agent),
    Object.fromEntries(macs.map(([port, mac]) => [port, { mac }])),
  );
  await change(agent, {});
  assert.deepEqual(filters(agent), {});
  assert.deepEqual(
    agent.kernel.applied.map(({ op }) => op),
    ["filter-port", "filter-port", "filter-port", "delete-filters"],
  );
});

Deno.test("reconcile() says that the kernel cannot filter, and leaves what is attached", async () => {
  using agent = await running();
  agent.kernel.noFilters = "there are none";
  assert.equal(await change(agent, { broadcastLimit: 5 }), true);
  assert.deepEqual(conditions(agent), ["FilterUnavailable"]);
  assert.deepEqual(agent.kernel.applied, []);
  delete agent.kernel.noFilters;
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(conditions(agent), []);
  assert.equal(Object.keys(filters(agent)).length, 3);
});

Deno.test("reconcile() names what cannot be pinned, because its record was lost", async () => {
  using agent = await running();
  const [first] = agent.attachments.ofLan(SEED_UID);
  const { details: _, target: __, ...bare } = first!;
  agent.attachments.restore(bare);
  await change(agent, { pinMac: true });
  const [condition] = agent.reconciler.conditions(SEED_UID);
  assert.equal(condition?.reason, "AddressNotPinned");
  assert.match(condition?.message ?? "", /was lost .* send with any: "pod1"; restart those/);
  assert.deepEqual(Object.keys(filters(agent)).length, 2);
});

Deno.test("reconcile() leaves an address pinned whose record was lost", async () => {
  using agent = await running();
  await change(agent, { pinMac: true });
  const before = filters(agent);
  const [first] = agent.attachments.ofLan(SEED_UID);
  const { details: _, target: __, ...bare } = first!;
  agent.attachments.restore(bare);
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual([conditions(agent), filters(agent)], [[], before]);
});

Deno.test("reconcile() announces stations when the underlay or its address is another one", async () => {
  using agent = await running();
  const { kernel } = agent;
  kernel.announced.length = 0;
  const announcements = async () => {
    await agent.reconciler.reconcile(SEED_UID);
    return kernel.announced.splice(0);
  };
  assert.deepEqual(await announcements(), []);
  const eth1 = kernel.link(HOST, "eth1");
  const own = eth1.vteps;
  eth1.vteps = [];
  assert.deepEqual(await announcements(), [], "nobody reaches it meanwhile");
  eth1.vteps = own;
  assert.deepEqual(await announcements(), [], "it is where it was");
  eth1.vteps = ["fe80::77", ...own];
  assert.deepEqual(await announcements(), [`vx2 in ${NETNS}`]);
  eth1.vteps = ["fe80::77"];
  assert.deepEqual(await announcements(), [`vx2 in ${NETNS}`], "the former one is gone at last");
  kernel.addUnderlay("eth2");
  agent.registry.replace([seedLan({ vxlanDevMap: { worker1: "eth2" } })]);
  assert.deepEqual(await announcements(), [`vx2 in ${NETNS}`]);
  assert.deepEqual(await announcements(), []);
});
