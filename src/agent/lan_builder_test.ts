import assert from "node:assert/strict";
import { AgentParts, NODE, POD1, POD2 } from "../../tests/support/agent_parts.ts";
import { codeIs } from "../../tests/support/codes.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { HOST } from "../plan/ops.ts";
import { wantedAttachment } from "./attachment.ts";

const LAN = "k8slan-system/lan-test";
const NETNS = "/run/k8slan/netns/knlvrf";

Deno.test("netnsPath() is where the LAN's namespace is bound", () => {
  using agent = new AgentParts();
  assert.equal(agent.builder.netnsPath(seedLan()), NETNS);
});

Deno.test("wanted() asks the kernel for the underlay that this node has", () => {
  using agent = new AgentParts();
  agent.kernel.addUnderlay("eth2", 9000);
  assert.equal(agent.builder.wanted(seedLan(), []).mtu, 1426);
  const other = seedLan({ vxlanDevMap: { worker1: "eth2" } });
  assert.equal(agent.builder.wanted(other, []).mtu, 8926);
});

Deno.test("wanted() sends nothing to this node, by whatever device the peers name it", () => {
  using agent = new AgentParts();
  agent.kernel.addUnderlay("eth2", 1500);
  agent.kernel.link(HOST, "eth1").vteps = ["2001:db8:1::2", "fe80::1"];
  agent.kernel.link(HOST, "eth2").vteps = ["2001:db8:2::2", "fe80::2"];
  agent.peers = ["2001:db8:1::2", "2001:DB8:2:0::2", "2001:db8:3::2"];
  const lan = seedLan({ underlay: "unicast" });
  assert.deepEqual(agent.builder.wanted(lan, []).vxlan?.peers, ["2001:db8:3::2"]);
  // Another node has an address of that name on another link.
  agent.kernel.link(HOST, "eth1").vteps = ["fe80::1"];
  agent.peers = ["fe80::1", "fe80::2"];
  assert.deepEqual(agent.builder.wanted(lan, []).vxlan?.peers, ["fe80::2"]);
});

Deno.test("missing() says what converge() would do, and does nothing", async () => {
  using agent = new AgentParts();
  const wanted = agent.builder.wanted(seedLan(), []);
  const missing = agent.builder.missing(wanted);
  assert.deepEqual(agent.kernel.applied, []);
  await agent.builder.converge(wanted);
  assert.deepEqual(agent.kernel.applied, missing);
  assert.deepEqual(agent.builder.missing(wanted), []);
});

Deno.test("converge() writes nothing the second time", async () => {
  using agent = new AgentParts();
  const wanted = agent.builder.wanted(seedLan(), []);
  await agent.builder.converge(wanted);
  const done = agent.kernel.applied.length;
  await agent.builder.converge(wanted);
  assert.equal(agent.kernel.applied.length, done);
});

Deno.test("apply() logs what was done and what failed as commands", async () => {
  using agent = new AgentParts();
  const op = { op: "delete-link", at: "host", name: "pod1" } as const;
  await agent.builder.apply(LAN, [op]);
  agent.failOps(() => true);
  await assert.rejects(agent.builder.apply(LAN, [op]));
  assert.deepEqual(agent.log.messages("debug"), ["Operations done", "Operations failed"]);
  assert.match(String(agent.log.records[0]!["ops"]), /^ip link del .*pod1$/);
});

Deno.test("detach() removes the port with all that belongs to it, and nothing else", async () => {
  using agent = new AgentParts();
  await agent.addBoth();
  await agent.builder.detach(LAN, NETNS, SEED_UID, "pod1.b");
  assert.equal(agent.kernel.machine.host.links.has("pod1"), false);
  assert.ok(agent.kernel.link(POD2, "net1"));
});

Deno.test("detach() leaves a namespace alone that belongs to another LAN by now", async () => {
  using agent = new AgentParts();
  await agent.add();
  const before = agent.snapshot();
  await agent.builder.detach(LAN, NETNS, "another-uid", "pod1.b");
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("remove() leaves a namespace alone that belongs to another LAN by now", async () => {
  using agent = new AgentParts();
  await agent.builder.converge(agent.builder.wanted(seedLan(), []));
  const before = agent.snapshot();
  await agent.builder.remove(LAN, NETNS, "another-uid");
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("remove() refuses a LAN that something is attached to", async () => {
  using agent = new AgentParts();
  await agent.add();
  const before = agent.snapshot();
  await assert.rejects(agent.builder.remove(LAN, NETNS, SEED_UID), codeIs("LanInUse"));
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("remove() frees the VNI before the namespace goes", async () => {
  using agent = new AgentParts();
  await agent.builder.converge(agent.builder.wanted(seedLan(), []));
  agent.kernel.applied.length = 0;
  await agent.builder.remove(LAN, NETNS, SEED_UID);
  assert.deepEqual(agent.kernel.applied.map(({ op }) => op), ["delete-link", "delete-netns"]);
});

Deno.test("remove() takes a file away that was to become the namespace", async () => {
  using agent = new AgentParts();
  agent.kernel.machine.files.set(NETNS, `k8slan lan=${SEED_UID}\n`);
  await agent.builder.remove(LAN, NETNS, SEED_UID);
  assert.equal(agent.kernel.machine.files.has(NETNS), false);
});

Deno.test("remove() of a LAN that is not there does nothing", async () => {
  using agent = new AgentParts();
  await agent.builder.remove(LAN, NETNS, SEED_UID);
  assert.deepEqual(agent.kernel.applied, []);
});

Deno.test("rejoinGroup() does nothing for a member, nor where there is no VXLAN", async () => {
  using agent = new AgentParts();
  const wanted = agent.builder.wanted(seedLan(), []);
  await agent.builder.converge(wanted);
  const done = agent.kernel.applied.length;
  await agent.builder.rejoinGroup(wanted);
  const { vxlan: _, ...without } = wanted;
  await agent.builder.rejoinGroup(without);
  assert.equal(agent.kernel.applied.length, done);
});

Deno.test("rejoinGroup() sets the VXLAN down and up for one that is no member", async () => {
  using agent = new AgentParts();
  const wanted = agent.builder.wanted(seedLan(), []);
  await agent.builder.converge(wanted);
  agent.kernel.link(NETNS, "vx2").joined = false;
  await agent.builder.rejoinGroup(wanted);
  const { joined, up } = agent.kernel.link(NETNS, "vx2");
  assert.deepEqual([joined, up], [true, true]);
});

Deno.test("observe() looks at the workloads asked about, each once", async () => {
  using agent = new AgentParts();
  await agent.addBoth();
  const none = agent.builder.observe(NETNS, []);
  assert.deepEqual([none.hostLinks.size, none.targets.size], [0, 0]);
  assert.equal(none.links.has("pod1.b"), true);
  const held = [...agent.attachments.all()].flatMap((one) => wantedAttachment(one, NODE) ?? []);
  const { hostLinks, targets } = agent.builder.observe(NETNS, [...held, ...held]);
  assert.deepEqual([[...hostLinks.keys()], [...targets.keys()]], [["pod1", "pod2"], [POD1, POD2]]);
});
