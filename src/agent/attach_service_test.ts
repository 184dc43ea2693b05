import assert from "node:assert/strict";
import {
  addRequest,
  AgentParts,
  NODE,
  POD1,
  POD2,
  podArgs,
} from "../../tests/support/agent_parts.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { codeIs } from "../../tests/support/codes.ts";
import type { AddRequest } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";
import { SPOKES_PER_NODE_MAX } from "../api/names.ts";
import { K8slanError } from "../base/errors.ts";
import { AttachService } from "./attach_service.ts";
import type { AttachAsk } from "./attach_gate.ts";
import { FakeLink } from "../../tests/support/fake_machine.ts";
import { derivedMac, tapIndex } from "../plan/identity.ts";
import { HOST } from "../plan/ops.ts";

const NETNS = "/run/k8slan/netns/knlvrf";
const TAP = tapIndex(NODE, "pod1", 0);

/** A second LAN beside the README's. */
function otherLan(): Lan {
  const lan = seedLan({ ns: "other", vni: 223, spokes: ["pod3"] }, "other-uid");
  return { ...lan, metadata: { ...lan.metadata, name: "lan-b" } };
}

Deno.test("add() of a macvtap answers what the kernel has", async () => {
  using agent = new AgentParts();
  assert.deepEqual(await agent.add(), {
    ifname: "net1",
    netns: POD1,
    mac: derivedMac(SEED_UID, "pod1"),
    mtu: 1426,
    lan: "k8slan-system/lan-test",
    spoke: "pod1",
    attach: "macvtap",
    tap: `/dev/tap${TAP}`,
  });
  const tap = agent.kernel.link(POD1, "net1");
  assert.deepEqual([tap.index, tap.attrs.kind, tap.tapOwner], [TAP, "macvtap", {
    uid: 107,
    gid: 107,
  }]);
});

Deno.test("add() of a veth on a spoke puts the far end itself into the workload", async () => {
  using agent = new AgentParts();
  const result = await agent.add({}, { attach: "veth" });
  assert.equal(result.tap, undefined);
  assert.equal(agent.kernel.link(POD1, "net1").peer?.name, "pod1.b");
  assert.equal(agent.kernel.machine.host.links.has("pod1"), false);
});

Deno.test("add() without a spoke gives every workload a port of its own", async () => {
  using agent = new AgentParts();
  const config = { spoke: undefined };
  const first = await agent.add({}, config);
  const second = await agent.add({ containerId: "c2", netns: POD2 }, config);
  assert.notEqual(first.mac, second.mac);
  assert.equal(agent.attachments.ofLan(SEED_UID).length, 2);
});

Deno.test("add() finds LAN and spoke by the device alone", async () => {
  using agent = new AgentParts();
  const config = { lan: undefined, spoke: undefined, deviceID: "pod2" };
  assert.equal((await agent.add({}, config)).spoke, "pod2");
});

for (
  const [what, config, expected] of [
    ["MAC", { mac: "02:00:5E:10:00:01" }, { mac: "02:00:5e:10:00:01", mtu: 1426 }],
    ["MTU", { mtu: 1300 }, { mac: derivedMac(SEED_UID, "pod1"), mtu: 1300 }],
  ] as const
) {
  Deno.test(`add() gives the ${what} that is asked for`, async () => {
    using agent = new AgentParts();
    const { mac, mtu } = await agent.add({}, config);
    assert.deepEqual({ mac, mtu }, expected);
  });
}

Deno.test("add() says that the LAN changed and remembers the attachment", async () => {
  using agent = new AgentParts();
  await agent.add({ args: podArgs("k8slan-system", "p", "uid-p") });
  assert.deepEqual(agent.changed, [SEED_UID]);
  const [record] = agent.records.readAll().values();
  assert.deepEqual(record?.details?.pod, { namespace: "k8slan-system", name: "p", uid: "uid-p" });
});

interface Refusal {
  readonly what: string;
  readonly code: string;
  readonly retriable: boolean;
  readonly lans?: readonly Lan[];
  readonly config?: Record<string, unknown>;
  readonly request?: Partial<AddRequest>;
  /** What is so on the node. */
  readonly given?: (agent: AgentParts) => unknown;
  readonly says: RegExp;
}

const dummy = (agent: AgentParts, place: string, name: string) => {
  const { machine } = agent.kernel;
  const netns = place === HOST ? machine.host : machine.netnses().values().find((found) => {
    return found === machine.files.get(place);
  })!;
  const attrs = { kind: "other", name: "dummy" } as const;
  machine.add(`add "${name}"`, new FakeLink(netns, { name, attrs }));
};

const refusals: readonly Refusal[] = [
  {
    what: "a configuration that names nothing",
    code: "InvalidConfig",
    retriable: false,
    config: { lan: undefined, spoke: undefined },
    says: /names neither "lan" nor "spoke"/,
  },
  {
    what: "a LAN that does not exist",
    code: "LanNotFound",
    retriable: true,
    config: { lan: "nowhere" },
    says: /no LAN "nowhere"/,
  },
  {
    what: "a spoke that the LAN does not have",
    code: "SpokeNotFound",
    retriable: true,
    config: { spoke: "pod9" },
    says: /no spoke "pod9"; add it to spec\.spokes or name one of "pod1", "pod2"/,
  },
  {
    what: "a LAN that lost to another",
    code: "LanNotAccepted",
    retriable: true,
    lans: [seedLan(), { ...otherLan(), spec: { ...otherLan().spec, vni: 222 } }],
    config: { lan: "k8slan-system/lan-b", spoke: "pod3" },
    says: /vni "222" belongs to LAN "k8slan-system\/lan-test"/,
  },
  {
    what: "a pod of a namespace where the LAN is not offered",
    code: "NamespaceNotAllowed",
    retriable: false,
    request: { args: podArgs("stranger", "p") },
    says: /not offered in namespace "stranger", only in "k8slan-system"; add it/,
  },
  {
    what: "a path that is no namespace",
    code: "NetnsNotFound",
    retriable: false,
    request: { netns: "/run/netns/nobody" },
    says: /"\/run\/netns\/nobody" is not a network namespace/,
  },
  {
    what: "the host's own namespace",
    code: "HostNetns",
    retriable: false,
    request: { netns: "/proc/self/ns/net" },
    says: /the host's own network namespace/,
  },
  {
    what: "a LAN's namespace as workload",
    code: "LanNetns",
    retriable: false,
    given: (agent) => agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2" }),
    request: { netns: NETNS },
    says: /is the network namespace of LAN "k8slan-system\/lan-test" itself/,
  },
  {
    what: "a LAN without underlay here",
    code: "UnderlayNotNamed",
    retriable: true,
    lans: [(({ defaultVxlanDev: _, vxlanDevMap: __, ...spec }) => ({ ...seedLan(), spec }))(
      seedLan().spec,
    )],
    says: /names no underlay device for node "worker1"/,
  },
  {
    what: "a LAN whose underlay is missing",
    code: "UnderlayMissing",
    retriable: true,
    lans: [seedLan({ vxlanDevMap: { worker1: "eth9" } })],
    says: /"eth9".*does not exist on node "worker1"; create it/,
  },
  {
    what: "a LAN whose underlay is too small for IPv6",
    code: "UnderlayMtuTooSmall",
    retriable: true,
    given: (agent) => agent.kernel.link(HOST, "eth1").mtu = 1279,
    says: /has MTU 1279; IPv6 needs at least 1280/,
  },
  {
    what: "a LAN that asks for more than the underlay carries",
    code: "MtuTooLarge",
    retriable: true,
    lans: [seedLan({ mtu: 1431 })],
    says: /carries at most 1430; raise the underlay's MTU to 1501/,
  },
  {
    what: "a LAN over unicast whose peers nobody tells",
    code: "PeersUnnamed",
    retriable: true,
    lans: [seedLan({ underlay: "unicast" })],
    says: /--peers/,
  },
  {
    what: "an MTU above the LAN's",
    code: "InvalidConfig",
    retriable: false,
    config: { mtu: 1427 },
    says: /asks for MTU 1427, but .* carries 1426.*raise the underlay's MTU to 1497/,
  },
  {
    what: "an interface that the container has already",
    code: "AlreadyAttached",
    retriable: false,
    given: (agent) => agent.add(),
    config: { spoke: "pod2" },
    says: /Container "c1" has interface "net1" on LAN "k8slan-system\/lan-test" already/,
  },
  {
    what: "a spoke that another container has",
    code: "SpokeInUse",
    retriable: true,
    given: (agent) => agent.add({ containerId: "c2", netns: POD2 }),
    says: /Spoke "pod1" .* is attached to container "c2" on this node; delete that first/,
  },
  {
    what: "a spoke that another pod has",
    code: "SpokeInUse",
    retriable: true,
    given: (agent) =>
      agent.add({ containerId: "c2", netns: POD2, args: podArgs("k8slan-system", "p2", "u2") }),
    request: { args: podArgs("k8slan-system", "p1", "u1") },
    says: /attached to pod "k8slan-system\/p2"/,
  },
  {
    what: "another interface of the pod that has the spoke",
    code: "SpokeInUse",
    retriable: true,
    given: (agent) => agent.add({ args: podArgs("k8slan-system", "p1", "u1") }),
    request: { ifname: "net2", args: podArgs("k8slan-system", "p1", "u1") },
    says: /attached to pod "k8slan-system\/p1"/,
  },
  {
    what: "a namespace path that someone else has",
    code: "NetnsClash",
    retriable: false,
    given: (agent) => agent.kernel.machine.addNetns(NETNS),
    says: /needs "\/run\/k8slan\/netns\/knlvrf" for its network namespace/,
  },
  {
    what: "a LAN with filters where the kernel has none",
    code: "FilterUnavailable",
    retriable: false,
    lans: [seedLan({ pinMac: true, broadcastLimit: 10 })],
    given: ({ kernel }) => kernel.noFilters = "Cannot open a netlink socket: EPROTONOSUPPORT",
    says:
      /asks for spec\.pinMac and spec\.broadcastLimit, which this node cannot give: Cannot open/,
  },
  {
    what: "a host link with the spoke's name",
    code: "LinkClash",
    retriable: false,
    given: (agent) => dummy(agent, HOST, "pod1"),
    says: /needs the link name "pod1" on this node, but a link that is not ours has it/,
  },
  {
    what: "an interface name that the workload has already",
    code: "LinkClash",
    retriable: false,
    given: (agent) => dummy(agent, POD1, "net1"),
    says: /Interface "net1" exists already in network namespace "\/run\/netns\/pod1"/,
  },
];

for (const { what, code, retriable, lans, config, request, given, says } of refusals) {
  Deno.test(`add() refuses ${what}`, async () => {
    using agent = new AgentParts(lans);
    await given?.(agent);
    const before = agent.snapshot();
    const held = [...agent.attachments.all()];
    await assert.rejects(agent.add(request, config), (error) => {
      assert.ok(error instanceof K8slanError, String(error));
      assert.deepEqual([error.code, error.retriable], [code, retriable]);
      assert.match(error.message, says);
      return true;
    });
    assert.deepEqual(agent.snapshot(), before);
    assert.deepEqual([...agent.attachments.all()], held);
  });
}

Deno.test("add() minds a kernel without filters only for LANs that ask for some", async () => {
  using agent = new AgentParts();
  agent.kernel.noFilters = "there are none";
  await agent.add();
  assert.equal(agent.kernel.applied.some(({ op }) => op === "filter-port"), false);
});

Deno.test("add() refuses what a bridge cannot take", async () => {
  using agent = new AgentParts();
  for (let at = 0; at < SPOKES_PER_NODE_MAX; at++) {
    agent.attachments.restore({
      ...{ containerId: `f${at}`, ifname: "net1", lanId: SEED_UID, port: `_f${at}.b` },
      ...{ lan: "k8slan-system/lan-test", netnsPath: NETNS, attach: "veth" },
    });
  }
  await assert.rejects(agent.add(), codeIs("BridgeFull"));
  assert.deepEqual(agent.kernel.applied, []);
});

Deno.test("add() refuses a LAN whose spec.ns was changed under its workloads", async () => {
  using agent = new AgentParts();
  await agent.add();
  agent.registry.replace([seedLan({ ns: "elsewhere" })]);
  const before = agent.snapshot();
  await assert.rejects(
    agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2" }),
    codeIs("NetnsChanged"),
  );
  assert.deepEqual(agent.snapshot(), before);
});

const other = (agent: AgentParts) =>
  agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2" });

for (
  const [what, prepare, config] of [
    ["the first macvtap", () => {}, {}],
    ["a further macvtap", other, {}],
    ["the first veth", () => {}, { attach: "veth" }],
    ["a veth without a spoke", other, { spoke: undefined }],
  ] as const
) {
  Deno.test(`add() of ${what} leaves nothing whichever operation fails`, async () => {
    for (let at = 0;; at++) {
      using agent = new AgentParts();
      await prepare(agent);
      const before = agent.snapshot();
      const held = [...agent.attachments.all()];
      const done = agent.kernel.applied.length;
      agent.failOp(at);
      const [{ status }] = await Promise.allSettled([agent.add({}, config)]);
      if (status === "fulfilled") return assert.equal(agent.kernel.applied.length - done, at);
      assert.deepEqual(agent.snapshot(), before, `operation ${at}`);
      assert.deepEqual([...agent.attachments.all()], held);
      assert.deepEqual([...agent.records.readAll().values()], held);
      await agent.add({}, config);
    }
  });
}

Deno.test("add() undoes an interface that is not as it was asked for", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  agent.kernel.beforeOp = (op) => {
    if (op.op === "own-tap") agent.kernel.link(HOST, "pod1").peer!.peer!.mtu = 1400;
    if (op.op === "own-tap") agent.kernel.link(POD1, "net1").mtu = 1400;
  };
  await assert.rejects(agent.add(), (error) => {
    assert.ok(error instanceof K8slanError);
    assert.match(error.message, /has address \S+ and MTU 1400, not \S+ and 1426,/);
    return error.code === "LinkChanged" && error.retriable;
  });
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("add() has the LAN looked at again when the undo fails too", async () => {
  using agent = new AgentParts();
  agent.failOps(({ op }) => op === "own-tap" || op === "delete-link");
  await assert.rejects(agent.add(), /own-tap/);
  assert.deepEqual(agent.changed, [SEED_UID]);
  assert.deepEqual(agent.log.messages("error").length, 1);
  assert.deepEqual([...agent.attachments.all()], []);
});

Deno.test("add() replaces what a failed undo left", async () => {
  using agent = new AgentParts();
  agent.failOps(({ op }) => op === "own-tap" || op === "delete-link");
  await assert.rejects(agent.add());
  agent.healKernel();
  await agent.reconciler.reconcile(SEED_UID);
  assert.equal((await agent.add({}, { mac: "02:00:5e:10:00:01" })).mac, "02:00:5e:10:00:01");
});

Deno.test("add() takes a spoke over whose holder's namespace is gone", async () => {
  using agent = new AgentParts();
  await agent.add({ containerId: "c2", netns: POD2 });
  agent.kernel.machine.removePath(POD2);
  assert.equal((await agent.add()).spoke, "pod1");
  assert.deepEqual([...agent.attachments.all()].map(({ containerId }) => containerId), ["c1"]);
});

Deno.test("add() takes a spoke over whose holder's path leads to another namespace", async () => {
  using agent = new AgentParts();
  await agent.add({ containerId: "c2", netns: POD2 });
  agent.kernel.machine.removePath(POD2);
  agent.kernel.machine.addNetns(POD2);
  await agent.add();
  assert.equal(agent.attachments.holder(SEED_UID, "pod1")?.containerId, "c1");
});

Deno.test("add() takes a spoke over from a former sandbox of the same pod", async () => {
  using agent = new AgentParts();
  const args = podArgs("k8slan-system", "p1", "u1");
  await agent.add({ containerId: "c2", netns: POD2, args });
  await agent.add({ args });
  assert.deepEqual([...agent.attachments.all()].map(({ containerId }) => containerId), ["c1"]);
  assert.equal(
    agent.kernel.observe({ netnsPath: NETNS, hostLinks: [], targets: [POD2] })
      .targets.get(POD2)?.has("net1"),
    false,
  );
});

Deno.test("add() that fails for its configuration leaves the pod's former sandbox alone", async () => {
  using agent = new AgentParts();
  const args = podArgs("k8slan-system", "p1", "u1");
  await agent.add({ containerId: "c2", netns: POD2, args });
  await assert.rejects(agent.add({ args }, { mtu: 9000 }), codeIs("InvalidConfig"));
  assert.equal(agent.attachments.holder(SEED_UID, "pod1")?.containerId, "c2");
});

Deno.test("add() makes anew what the same container had in a namespace that is gone", async () => {
  using agent = new AgentParts([seedLan(), otherLan()]);
  await agent.add({}, { lan: "k8slan-system/lan-b", spoke: "pod3" });
  agent.kernel.machine.removePath(POD1);
  agent.kernel.machine.addNetns(POD1);
  await agent.add();
  assert.deepEqual([...agent.attachments.all()].map(({ spoke }) => spoke), ["pod1"]);
});

Deno.test("add() twice at once for one spoke lets one have it", async () => {
  using agent = new AgentParts();
  const results = await Promise.allSettled([
    agent.add(),
    agent.add({ containerId: "c2", netns: POD2 }),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.equal(agent.attachments.holder(SEED_UID, "pod1")?.containerId, "c1");
});

Deno.test("add() twice at once for one interface on two LANs makes it on one", async () => {
  using agent = new AgentParts([seedLan(), otherLan()]);
  const results = await Promise.allSettled([
    agent.add(),
    agent.add({}, { lan: "k8slan-system/lan-b", spoke: "pod3" }),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.deepEqual([...agent.attachments.all()].map(({ spoke }) => spoke), ["pod1"]);
});

for (
  const [what, lans, code] of [
    ["removed", [], "LanNotFound"],
    ["replaced", [seedLan({}, "another-uid")], "LanChanged"],
  ] as const
) {
  Deno.test(`add() refuses a LAN that was ${what} while it waited for its turn`, async () => {
    using agent = new AgentParts();
    const before = agent.snapshot();
    const turn = Promise.withResolvers<void>();
    const holding = agent.mutex.run(SEED_UID, () => turn.promise);
    const adding = agent.add();
    await new Promise((resolve) => setTimeout(resolve));
    agent.registry.replace(lans);
    turn.resolve();
    await holding;
    await assert.rejects(adding, codeIs(code));
    assert.deepEqual(agent.snapshot(), before);
  });
}

Deno.test("del() of the last attachment takes the LAN off the node", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  await agent.addBoth();
  await agent.service.del({ containerId: "c1", ifname: "net1" });
  assert.deepEqual([...agent.attachments.all()].map(({ spoke }) => spoke), ["pod2"]);
  assert.equal(agent.kernel.netnsPaths().length, 1);
  await agent.service.del({ containerId: "c2", ifname: "net1" });
  assert.deepEqual(agent.snapshot(), before);
  assert.equal(agent.records.readAll().size, 0);
});

for (
  const [what, key] of [
    ["a container that was never attached", { containerId: "c9", ifname: "net1" }],
    ["another interface of the container", { containerId: "c1", ifname: "net2" }],
  ] as const
) {
  Deno.test(`del() of ${what} does nothing`, async () => {
    using agent = new AgentParts();
    await agent.add();
    const before = agent.snapshot();
    await agent.service.del(key);
    assert.deepEqual(agent.snapshot(), before);
  });
}

Deno.test("del() twice is fine", async () => {
  using agent = new AgentParts();
  await agent.add();
  await Promise.all([
    agent.service.del({ containerId: "c1", ifname: "net1" }),
    agent.service.del({ containerId: "c1", ifname: "net1" }),
  ]);
  await agent.service.del({ containerId: "c1", ifname: "net1" });
  assert.deepEqual([...agent.attachments.all()], []);
});

Deno.test("del() of a former sandbox leaves the interface that took its place", async () => {
  using agent = new AgentParts();
  const args = podArgs("k8slan-system", "p1", "u1");
  await agent.add({ containerId: "c2", netns: POD2, args });
  await agent.add({ args });
  const before = agent.snapshot();
  await agent.service.del({ containerId: "c2", ifname: "net1" });
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("del() during add() of the same interface leaves nothing", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  const adding = agent.add();
  const deleting = agent.service.del({ containerId: "c1", ifname: "net1" });
  await Promise.all([adding, deleting]);
  assert.deepEqual(agent.snapshot(), before);
  assert.deepEqual([...agent.attachments.all()], []);
});

for (const failing of ["delete-link", "delete-netns"]) {
  Deno.test(`del() that failed at ${failing} can be repeated`, async () => {
    using agent = new AgentParts();
    const before = agent.snapshot();
    await agent.add();
    agent.failOps(({ op }) => op === failing);
    await assert.rejects(agent.service.del({ containerId: "c1", ifname: "net1" }));
    agent.healKernel();
    await agent.service.del({ containerId: "c1", ifname: "net1" });
    assert.deepEqual(agent.snapshot(), before);
  });
}

Deno.test("del() works when the LAN is configured no more", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  await agent.add();
  agent.registry.replace([]);
  await agent.service.del({ containerId: "c1", ifname: "net1" });
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("del() leaves a namespace alone that is no longer ours", async () => {
  using agent = new AgentParts();
  await agent.add();
  agent.kernel.machine.removePath(NETNS);
  const foreign = agent.kernel.machine.addNetns(NETNS);
  await agent.service.del({ containerId: "c1", ifname: "net1" });
  assert.equal(agent.kernel.machine.files.get(NETNS), foreign);
});

Deno.test("sweep() detaches whose namespace is gone, and no other", async () => {
  using agent = new AgentParts();
  await agent.addBoth();
  agent.kernel.machine.removePath(POD1);
  await agent.service.sweep(SEED_UID);
  assert.deepEqual([...agent.attachments.all()].map(({ spoke }) => spoke), ["pod2"]);
});

Deno.test("gc() removes what its network has and the runtime does not know", async () => {
  using agent = new AgentParts();
  await agent.addBoth();
  await agent.add({ containerId: "c3", ifname: "net3", netns: POD2 }, {
    spoke: undefined,
    name: "net-b",
  });
  await agent.service.gc({
    op: "gc",
    network: "net-a",
    valid: [{ containerId: "c2", ifname: "net1" }],
  });
  assert.deepEqual(
    [...agent.attachments.all()].map(({ containerId }) => containerId),
    ["c2", "c3"],
  );
});

Deno.test("gc() goes on after a failure and tells of it", async () => {
  using agent = new AgentParts();
  await agent.addBoth();
  agent.failOps((op) => op.op === "delete-link" && op.name === "pod1.b");
  await assert.rejects(
    agent.service.gc({ op: "gc", network: "net-a", valid: [] }),
    /injected failure/,
  );
  assert.deepEqual([...agent.attachments.all()].map(({ spoke }) => spoke), ["pod1"]);
});

const ADDRESSES = {
  op: "configure",
  containerId: "c1",
  ifname: "net1",
  netns: POD1,
  ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }],
  routes: [{ dst: "0.0.0.0/0", gw: "192.0.2.1" }],
} as const;

Deno.test("configure() puts addresses on the interface and remembers them", async () => {
  using agent = new AgentParts();
  await agent.add();
  await agent.service.configure(ADDRESSES);
  assert.deepEqual(agent.kernel.link(POD1, "net1").addresses, ["192.0.2.7/24"]);
  const { ips, routes } = agent.records.readAll().get("c1@net1")!.details!;
  assert.deepEqual({ ips, routes }, { ips: ADDRESSES.ips, routes: ADDRESSES.routes });
});

for (
  const [what, change, code] of [
    ["an interface that is not attached", { containerId: "c9" }, "UnknownContainer"],
    ["another namespace than the interface's", { netns: POD2 }, "NetnsNotFound"],
    ["a path that is no namespace", { netns: "/run/netns/nobody" }, "NetnsNotFound"],
  ] as const
) {
  Deno.test(`configure() refuses ${what}`, async () => {
    using agent = new AgentParts();
    await agent.add();
    const before = agent.snapshot();
    await assert.rejects(agent.service.configure({ ...ADDRESSES, ...change }), codeIs(code));
    assert.deepEqual(agent.snapshot(), before);
  });
}

Deno.test("require() names container and interface that are not attached", () => {
  using agent = new AgentParts();
  assert.throws(
    () => agent.service.require(addRequest()),
    /Container "c1" has no interface "net1" on any LAN of this node/,
  );
});

Deno.test("add() tells which pod did not get what it asked for", async () => {
  using agent = new AgentParts();
  const failed: unknown[] = [];
  const service = new AttachService({
    ...{ ...agent, tapOwner: { uid: 107, gid: 107 }, changed: () => {} },
    failed: (pod) => failed.push(pod),
  });
  const args = podArgs("k8slan-system", "vm-1", "uid-1");
  await assert.rejects(service.add(addRequest({ args }, { lan: "absent" })), codeIs("LanNotFound"));
  await assert.rejects(service.add(addRequest({}, { lan: "absent" })), codeIs("LanNotFound"));
  await service.add(addRequest({ args }));
  assert.deepEqual(failed, [{ namespace: "k8slan-system", name: "vm-1", uid: "uid-1" }]);
});

/** The service of `agent` with a gate that notes what it is asked. */
function gated(agent: AgentParts, answer: () => Promise<void> = () => Promise.resolve()) {
  const asked: AttachAsk[] = [];
  const gate = {
    admit(ask: AttachAsk) {
      asked.push(ask);
      return answer();
    },
  };
  const tapOwner = { uid: 107, gid: 107 };
  return { asked, service: new AttachService({ ...agent, tapOwner, gate, changed: () => {} }) };
}

Deno.test("add() asks the gate with the LAN, the spoke and who it is for", async () => {
  using agent = new AgentParts();
  const { asked, service } = gated(agent);
  const args = podArgs("k8slan-system", "vm-1", "uid-1");
  await service.add(addRequest({ args }, { deviceID: "pod1" }));
  await service.add(
    addRequest({ containerId: "c2", netns: POD2 }, { spoke: undefined, attach: "veth" }),
  );
  assert.deepEqual(asked, [
    {
      ...{ lan: seedLan(), spoke: "pod1", attach: "macvtap", deviceId: "pod1" },
      pod: { namespace: "k8slan-system", name: "vm-1", uid: "uid-1" },
    },
    { lan: seedLan(), attach: "veth" },
  ]);
});

Deno.test("add() leaves nothing of what the gate refuses", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  const refusal = new K8slanError("SpokeInUse", "held on another node", { retriable: true });
  const { service } = gated(agent, () => Promise.reject(refusal));
  await assert.rejects(service.add(addRequest()), refusal);
  assert.deepEqual(agent.snapshot(), before);
  assert.deepEqual([...agent.attachments.all(), ...agent.records.readAll()], []);
});

Deno.test("add() does not hold up the rest of its LAN while the gate thinks", async () => {
  using agent = new AgentParts();
  const thinking = Promise.withResolvers<void>();
  const { service } = gated(agent, () => thinking.promise);
  const slow = service.add(addRequest());
  await agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2" });
  thinking.resolve();
  assert.equal((await slow).spoke, "pod1");
});

Deno.test("add() refuses a LAN that went away while the gate thought", async () => {
  using agent = new AgentParts();
  const { service } = gated(agent, () => {
    agent.registry.replace([]);
    return Promise.resolve();
  });
  await assert.rejects(service.add(addRequest()), codeIs("LanNotFound"));
});
