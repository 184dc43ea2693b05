import assert from "node:assert/strict";
import { AgentParts, POD1, podArgs } from "../../tests/support/agent_parts.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { derivedMac, tapIndex } from "../plan/identity.ts";
import { HOST } from "../plan/ops.ts";
import { version } from "../version.ts";
import { nodeView } from "./node_view.ts";

const NETNS = "/run/k8slan/netns/knlvrf";
const PROBLEM = { reason: "UnreadableFile", message: "x" };

function view(agent: AgentParts) {
  const { node, builder, registry, attachments, reconciler } = agent;
  const problems = () => [PROBLEM];
  return nodeView({ node, builder, registry, attachments, reconciler, problems });
}

/** States of the LANs, by UID. */
function states(agent: AgentParts): Record<string, string> {
  return Object.fromEntries(view(agent).lans.map(({ uid, state }) => [uid, state]));
}

Deno.test("nodeView() says who answers, and what is wrong", () => {
  using agent = new AgentParts([]);
  assert.deepEqual(view(agent), {
    ...{ node: "worker1", version, pid: Deno.pid },
    ...{ lans: [], attachments: [], problems: [PROBLEM] },
  });
});

Deno.test("nodeView() shows a LAN that nothing is attached to as idle", () => {
  using agent = new AgentParts();
  assert.deepEqual(view(agent).lans, [{
    ...{ lan: "k8slan-system/lan-test", uid: SEED_UID, vni: 222, netns: "knlvrf" },
    ...{ spokes: ["pod1", "pod2"], state: "Idle", underlay: "eth1", conditions: [], links: [] },
  }]);
});

Deno.test("nodeView() shows a LAN in use as active, with its links", async () => {
  using agent = new AgentParts();
  await agent.add();
  const [lan] = view(agent).lans;
  assert.deepEqual([lan?.state, lan?.mtu, lan?.conditions], ["Active", 1426, []]);
  assert.deepEqual(lan?.links.map(({ name, role, up, mtu }) => ({ name, role, up, mtu })), [
    { name: "vx2", role: "vxlan", up: true, mtu: 1426 },
    { name: "pod1.b", role: "port", up: true, mtu: 1426 },
    { name: "br2", role: "bridge", up: true, mtu: 1426 },
  ]);
});

for (
  const [what, change] of [
    ["whose VXLAN is down", ({ kernel }) => kernel.link(NETNS, "vx2").up = false],
    ["whose VXLAN is gone", ({ kernel }) => kernel.machine.remove(kernel.link(NETNS, "vx2"))],
    ["whose namespace is gone", ({ kernel }) => kernel.machine.removePath(NETNS)],
    ["with a condition", async ({ kernel, reconciler }) => {
      kernel.link(HOST, "eth1").linkLocal = "none";
      await reconciler.reconcile(SEED_UID);
    }],
  ] as readonly (readonly [string, (agent: AgentParts) => unknown])[]
) {
  Deno.test(`nodeView() shows a LAN in use ${what} as degraded`, async () => {
    using agent = new AgentParts();
    await agent.add();
    await change(agent);
    assert.deepEqual(states(agent), { [SEED_UID]: "Degraded" });
  });
}

Deno.test("nodeView() shows the conditions that the reconciler found", async () => {
  using agent = new AgentParts();
  await agent.add();
  agent.kernel.link(HOST, "eth1").linkLocal = "none";
  await agent.reconciler.reconcile(SEED_UID);
  assert.deepEqual(view(agent).lans[0]?.conditions.map(({ reason }) => reason), ["NoIpv6Source"]);
});

Deno.test("nodeView() shows a LAN that lost as rejected, and to whom it lost", () => {
  const loser = { ...seedLan({ ns: "other", spokes: [] }, "loser") };
  const named = {
    ...loser,
    metadata: { ...loser.metadata, name: "b", creationTimestamp: "2026-06-01T00:00:00Z" },
  };
  using agent = new AgentParts([seedLan(), named]);
  const lan = view(agent).lans.find(({ uid }) => uid === "loser");
  assert.equal(lan?.state, "Rejected");
  assert.deepEqual(lan.conditions.map(({ reason }) => reason), ["Conflict"]);
  assert.match(lan.conditions[0]!.message, /vni "222" belongs to LAN "k8slan-system\/lan-test"/);
});

Deno.test("nodeView() shows a LAN in use that is configured no more as orphaned", async () => {
  using agent = new AgentParts();
  await agent.add();
  agent.registry.replace([]);
  const [lan] = view(agent).lans;
  assert.deepEqual(
    [lan?.lan, lan?.uid, lan?.vni, lan?.netns, lan?.state, lan?.links.length],
    ["k8slan-system/lan-test", SEED_UID, 222, "knlvrf", "Orphaned", 3],
  );
  assert.match(lan!.conditions[0]!.message, /no longer configured/);
});

Deno.test("nodeView() shows an orphaned LAN whose namespace is gone", async () => {
  using agent = new AgentParts();
  await agent.add();
  agent.registry.replace([]);
  agent.kernel.machine.removePath(NETNS);
  const [lan] = view(agent).lans;
  assert.deepEqual([lan?.state, lan?.vni, lan?.links], ["Orphaned", 0, []]);
});

Deno.test("nodeView() shows all that is known of an attachment", async () => {
  using agent = new AgentParts();
  await agent.add({ args: podArgs("k8slan-system", "p", "u") });
  assert.deepEqual(view(agent).attachments, [{
    ...{ containerId: "c1", ifname: "net1", lan: "k8slan-system/lan-test" },
    ...{ spoke: "pod1", attach: "macvtap", netns: POD1, pod: "k8slan-system/p" },
    ...{ mac: derivedMac(SEED_UID, "pod1"), mtu: 1426 },
    tap: `/dev/tap${tapIndex("worker1", "pod1", 0)}`,
  }]);
});

Deno.test("nodeView() shows an attachment of which only the mark tells", async () => {
  using agent = new AgentParts();
  await agent.add({}, { spoke: undefined });
  Deno.removeSync(agent.recordsDir, { recursive: true });
  const next = await agent.restart();
  assert.deepEqual(view(next).attachments, [
    { containerId: "c1", ifname: "net1", lan: "k8slan-system/lan-test", attach: "veth" },
  ]);
});
