/** The command line on a node with a real agent and a real kernel. */

import { deepEqual, equal, match } from "node:assert/strict";
import { AGENT_SOCKET_ENV } from "../../src/api/names.ts";
import { type AgentNode, createAgentLab, seedLan, type Workload } from "../support/agent_lab.ts";
import { type IpLink, rootTest } from "../support/netns_lab.ts";
import { settled } from "../support/settled.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Runs `k8slan ARGS…` on a node. */
async function k8slan(node: AgentNode, ...args: readonly string[]) {
  const program = [Deno.execPath(), "run", "-A", "--no-check", "--quiet", `${ROOT}main.ts`];
  const env = { [AGENT_SOCKET_ENV]: node.socket, NODE_NAME: node.uniqueName };
  const process = node.host.spawn([...program, ...args], { env });
  const { code } = await process.ended;
  return { code, out: process.stdout, err: process.stderr };
}

rootTest("k8slan attach, status and detach work with a running agent", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  await lab.putLan(seedLan(lab));
  const blue = await lab.addWorkload("blue");
  const target = ["--netns", blue.netns, "--ifname", "eth1"];

  const attached = await k8slan(node, "attach", "--lan", "lan-test", "--spoke", "pod1", ...target);
  deepEqual([attached.code, attached.err], [0, ""]);
  match(attached.out, /^Attached "eth1" in ".*\/blue" to spoke "pod1" of LAN "k8slan-system\/lan-/);
  const [eth1] = (await blue.links()).filter(({ ifname }) => ifname === "eth1");
  equal(eth1?.linkinfo?.info_kind, "macvtap");
  match(
    attached.out,
    new RegExp(`: macvtap, ${eth1?.address}, MTU 1426, /dev/tap${eth1?.ifindex}\n$`),
  );

  const busy = await k8slan(node, "status");
  deepEqual([busy.code, busy.err], [0, ""]);
  match(busy.out, /\nk8slan-system\/lan-test +222 +Active +eth1 +1426 +4 +1 +0\/0/);
  match(busy.out, new RegExp(`\nk8slan-system/lan-test +pod1 +macvtap +${blue.netns} +eth1 +`));

  const again = await k8slan(node, "attach", "--spoke", "pod1", ...target);
  deepEqual([again.code, again.out], [1, ""]);
  match(again.err, /^k8slan: [^\n]+\n$/);

  for (const _ of ["there", "gone"]) {
    const detached = await k8slan(node, "detach", ...target);
    deepEqual([detached.code, detached.err], [0, ""]);
  }
  equal((await blue.links()).some(({ ifname }) => ifname === "eth1"), false);
  match((await k8slan(node, "status")).out, / 222 +Idle +eth1 +- +4 +0 +- +- +-\n$/);
});

rootTest("k8slan status says by its exit code that a LAN is refused", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  const lan = seedLan(lab);
  await lab.putLan(lan);
  await lab.putLan({ metadata: { name: "twin" }, spec: { ...lan.spec, ns: "twin" } });
  const { code, out } = await k8slan(node, "status");
  equal(code, 3);
  match(out, /\ndefault\/twin +Conflict +vni "222" belongs to LAN "k8slan-system\/lan-test"/);
});

rootTest("k8slan plan prints commands that make what the agent makes", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  const lan = seedLan(lab);
  await lab.putLan(lan);
  const [blue, red] = [await lab.addWorkload("blue"), await lab.addWorkload("red")];
  await k8slan(node, "attach", "--spoke", "pod1", "--netns", blue.netns);
  await k8slan(node, "attach", "--spoke", "pod2", "--netns", red.netns, "--attach", "veth");
  const byAgent = await settled(() => everything(node, lan.spec["ns"], [blue, red]));
  await k8slan(node, "detach", "--netns", blue.netns);
  await k8slan(node, "detach", "--netns", red.netns);
  await node.stop();

  const { code, out } = await k8slan(
    node,
    ...["plan", "-f", node.lansDir, "--netns-dir", node.netnsDir, "--spoke", "pod1"],
    ...["--attach", `pod1=${blue.netns}`, `pod2=${red.netns},veth`],
  );
  equal(code, 0);
  await node.host.run(["sh", "-e"], { stdin: out });
  const byHand = await settled(() => everything(node, lan.spec["ns"], [blue, red]));
  for (const [at, link] of byAgent.entries()) equal(byHand[at], link);
  equal(byHand.length, byAgent.length);
});

rootTest("k8slan plan prints commands that make spokes before anyone attaches", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  await lab.putLan(seedLan(lab));
  await node.stop();
  const plan = ["plan", "-f", node.lansDir, "--netns-dir", node.netnsDir];
  await node.host.run(["sh", "-e"], { stdin: (await k8slan(node, ...plan)).out });
  const links = await settled(() => node.host.links());
  const hostEnds = links.filter(({ ifname }) => ifname.startsWith("pod"));
  deepEqual(hostEnds.map(({ ifname, operstate }) => [ifname, operstate]).sort(), [
    ...["pod1", "pod2", "pod3", "pod4"].map((spoke) => [spoke, "UP"]),
  ]);
  const ports = JSON.parse(
    await lab.net.run(`${node.netnsDir}/knlvrf`, ["ip", "-j", "link", "show", "master", "br2"]),
  );
  equal(ports.length, 5);
});

rootTest("k8slan agent ends well on SIGTERM, and refuses to run twice", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  const { agent, runDir, lansDir, stateDir } = node;
  const second = await k8slan(
    node,
    ...["agent", "--standalone", "--lans", lansDir, "--run-dir", runDir, "--state-dir", stateDir],
  );
  deepEqual([second.code, second.out], [1, ""]);
  match(second.err, /^k8slan: Another agent is running with [^\n]+\n$/);
  await node.stop();
  equal((await agent.ended).code, 0);
});

/** All links that a LAN and its workloads have, without what differs from one time to the next. */
async function everything(node: AgentNode, ns: unknown, workloads: readonly Workload[]) {
  const lan = await node.host.links(); // the host ends
  const inside = JSON.parse(
    await node.host.run(["nsenter", `--net=${node.netnsDir}/${ns}`, "ip", "-d", "-j", "link"]),
  );
  const there = await Promise.all(workloads.map((workload) => workload.links()));
  return [lan, inside, ...there].flat().map((link: IpLink) => JSON.stringify(stable(link))).sort();
}

function stable({ ifname: name, ifindex, flags, mtu, address, ifalias, master, linkinfo }: IpLink) {
  // Other indexes are the kernel's own choice.
  const index = ifindex >= 2 ** 20 ? ifindex : undefined;
  const { info_kind, info_data, info_slave_data } = linkinfo ?? {};
  const [data, slave] = [info_data, info_slave_data].map((settings) =>
    Object.entries(settings ?? {}).filter(([key]) => !/timer|^(no|id|designated_port)$/.test(key))
  );
  return { name, index, flags, mtu, address, ifalias, master, info_kind, data, slave };
}
