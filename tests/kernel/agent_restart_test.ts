/** The agent ends and starts again, in every way: what is attached does not notice. */

import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  seedLan,
  type Workload,
} from "../support/agent_lab.ts";
import { LinkMonitor } from "../support/link_monitor.ts";
import { rootTest } from "../support/netns_lab.ts";
import { NETNS_GONE_MS, takePicture, untilPicture } from "../support/node_picture.ts";
import { NumberedStream } from "../support/numbered_stream.ts";
import { settled } from "../support/settled.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";

rootTest("agentMain() loses no frame and changes no link when it ends and starts", async () => {
  await using lab = await createAgentLab({ nodes: 2 });
  await lab.putLan(seedLan(lab));
  const [one, two] = [lab.node("worker1"), lab.node("worker2")];
  const a = await attached(lab, one, "pod1");
  const b = await attached(lab, one, "pod2", "veth");
  const c = await attached(lab, two, "pod3");
  await Promise.all(lab.nodes.map(isAtRest));
  await Promise.all(lab.nodes.map((node) => portsAreAtRest(lab, node)));
  const monitor = await LinkMonitor.start(lab.net, [
    ...lab.nodes.flatMap(({ host, netnsDir }) => [host.netns, `${netnsDir}/knlvrf`]),
    ...[a, b, c].map(({ netns }) => netns),
  ]);
  using there = new NumberedStream(end(a), end(c));
  using back = new NumberedStream(end(c), end(b));
  for (const signal of ["SIGTERM", "SIGKILL", "SIGKILL"] as const) {
    for (const node of lab.nodes) {
      await node.stop(signal);
      const { sent } = there;
      await until("frames flow without an agent", () => there.sent > sent + 50);
      await node.start();
      await isAtRest(node);
    }
  }
  for (const stream of [there, back]) {
    const { sent, lost, outOfPlace } = await stream.stop();
    assert.ok(sent > 500, `Only ${sent} frames were sent`);
    assert.deepEqual({ lost, outOfPlace }, { lost: [], outOfPlace: 0 });
  }
  assert.deepEqual(await monitor.changes(), []);
});

rootTest(
  "agentMain() takes over what is attached although its state directory is lost",
  async () => {
    await using lab = await createAgentLab({ nodes: 1 });
    await lab.putLan(seedLan(lab));
    const node = lab.node("worker1");
    const [a, b] = [await attached(lab, node, "pod1"), await attached(lab, node, "pod2", "veth")];
    const look = async () => {
      const { host, lans, workloads } = await takePicture(node, [a, b]);
      return { host, lans, workloads };
    };
    const before = await settled(look);
    await node.stop("SIGKILL");
    await Deno.remove(node.stateDir, { recursive: true });
    await node.start();
    await isAtRest(node);
    await untilPicture("as before", look, before);
    assert.deepEqual(
      (await node.view()).attachments.map(({ containerId, spoke }) => [containerId, spoke]).sort(),
      [["pod1", "pod1"], ["pod2", "pod2"]],
    );
    await assert.rejects(attached(lab, node, "pod1", "macvtap", "other"), /"code":11,.*pod1/);
    await node.detach(a);
    await node.detach(b);
    assert.deepEqual([...Deno.readDirSync(node.netnsDir)], []);
    assert.deepEqual((await node.host.links()).map(({ ifname }) => ifname), ["lo", "eth1"]);
  },
);

rootTest("sweep() knows a dead workload by its port where the record is lost", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  await lab.putLan(seedLan(lab));
  const node = lab.node("worker1");
  const workload = await attached(lab, node, "pod1", "veth");
  await node.stop("SIGKILL");
  await Deno.remove(node.stateDir, { recursive: true });
  await node.start();
  assert.equal((await node.view()).attachments.length, 1);
  await workload.remove();
  await until("nothing is attached", async () => (await node.view()).attachments.length === 0, {
    timeout: NETNS_GONE_MS,
  });
  await until("the LAN is removed", () => [...Deno.readDirSync(node.netnsDir)].length === 0);
});

for (
  const [what, mount] of [
    ["read-only", "mount -t tmpfs -o ro none $state"],
    ["full", "mount -t tmpfs -o size=4k,nr_inodes=4 none $state; yes > $state/all || true"],
  ]
) {
  rootTest(`agentMain() works with a state directory that is ${what}`, async () => {
    await using lab = await createAgentLab({ nodes: 1 });
    const node = lab.node("worker1");
    await node.stop();
    await Deno.remove(node.stateDir, { recursive: true });
    await Deno.mkdir(node.stateDir);
    await node.host.run(["sh", "-c", `state='${node.stateDir}'; ${mount}`]);
    await node.start();
    await lab.putLan(seedLan(lab));
    const a = await attached(lab, node, "pod1");
    const b = await attached(lab, node, "pod2", "veth");
    await node.restart("SIGKILL");
    assert.equal((await node.view()).attachments.length, 2);
    await node.detach(a);
    await node.detach(b);
    assert.deepEqual([...Deno.readDirSync(node.netnsDir)], []);
  });
}

rootTest("agentMain() removes the files that a crash left unfinished", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  const before = await takePicture(node);
  await node.stop("SIGKILL");
  const uuid = crypto.randomUUID();
  const mark = "k8slan lan=1 name=default/one\n";
  for (
    const [path, text] of [
      [`${node.netnsDir}/knlvrf.${uuid}`, ""],
      [`${node.netnsDir}/other.${uuid}`, mark],
      [`${node.netnsDir}/knlvrf`, mark],
      [`${node.stateDir}/first-seen.json.${uuid}.tmp`, "{"],
      [`${node.stateDir}/attachments/pod@net1.json.${uuid}.tmp`, ""],
    ] as const
  ) Deno.writeTextFileSync(path, text);
  await node.start();
  await untilPicture("nothing is left", () => takePicture(node), before);
});

rootTest("recover() takes no other namespace for the one that was attached", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  await lab.putLan(seedLan(lab));
  const node = lab.node("worker1");
  const a = await attached(lab, node, "pod1");
  const { ino } = await Deno.stat(a.netns);
  await node.stop();
  await a.remove();
  // The kernel gives free numbers out again, the lowest first; another program may be quicker.
  let netns = "";
  for (let others = 0; others < 100; others++) {
    ({ netns } = await lab.addWorkload(`other${others}`));
    if ((await Deno.stat(netns)).ino === ino) break;
  }
  await lab.net.run(netns, ["sh", "-euc", `touch '${a.netns}'; mount -B '${netns}' '${a.netns}'`]);
  await node.start();
  await until("nothing is attached", async () => (await node.view()).attachments.length === 0, {
    timeout: NETNS_GONE_MS,
  });
  assert.deepEqual((await a.links()).map(({ ifname }) => ifname), ["lo"]);
  assert.deepEqual([...Deno.readDirSync(node.netnsDir)], []);
});

rootTest("sweep() detaches nothing while the agent has no file left to look", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  await lab.putLan(seedLan(lab));
  const node = lab.node("worker1");
  const a = await attached(lab, node, "pod1");
  await isAtRest(node);
  const whole = await settled(() => takePicture(node, [a]));
  const files = () =>
    Array.fromAsync(Deno.readDir(`/proc/${node.agent.pid}/fd`), ({ name }) => name);
  // Without those of an answer or a look that comes to its end.
  const open = new Set(await settled(files));
  const free = Array.from({ length: 1024 }, (_, at) => at).findIndex((at) => !open.has(`${at}`));
  const limit = (files: number) =>
    node.host.run(["prlimit", `--pid=${node.agent.pid}`, `--nofile=${files}:`]);
  await limit(free);
  const { length } = node.agent.output;
  await lab.net.run(`${node.netnsDir}/knlvrf`, ["ip", "link", "set", "pod1.b", "down"]);
  await until("the agent could not look", () => /EMFILE/.test(node.agent.output.slice(length)));
  await limit(1024);
  // Its next look, after one more event.
  await lab.net.run(`${node.netnsDir}/knlvrf`, ["ip", "link", "set", "vx2", "down"]);
  await untilPicture("as before", () => takePicture(node, [a]), whole);
});

/** Attaches a new workload. */
async function attached(
  lab: AgentLab,
  node: AgentNode,
  spoke: string,
  attach: "macvtap" | "veth" = "macvtap",
  name = spoke,
): Promise<Workload> {
  const workload = await lab.addWorkload(name);
  // Its stack would speak by itself.
  await workload.run(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
  await node.attach(workload, { lan: LAN, spoke, attach });
  return workload;
}

function end({ netns }: Workload) {
  return { netns, ifname: "net1" };
}

/** A timer of the kernel's that shows no time left may go off so much later. Milliseconds. */
const TIMER_LATE_MS = 1_500;

/**
 * Returns when the kernel is done with the ports of the LAN's bridge: it tells of each once more when
 * the forward delay of 15 s is over, though nothing changes by it.
 */
async function portsAreAtRest({ net }: AgentLab, { netnsDir }: AgentNode): Promise<void> {
  let since = Infinity;
  await until("no port has its forward delay before it", async () => {
    const ports = (await net.links(`${netnsDir}/knlvrf`)).filter(({ master }) => master === "br2");
    const isOver = ports.every(({ linkinfo }) => {
      const { state, forward_delay_timer: left } = linkinfo?.info_slave_data ?? {};
      return state === "forwarding" && left === 0;
    });
    since = isOver ? Math.min(since, performance.now()) : Infinity;
    return performance.now() - since > TIMER_LATE_MS;
  }, { timeout: 60_000, interval: 200 });
}

/** Returns when the agent has looked at its LANs and has nothing to do. */
async function isAtRest(node: AgentNode): Promise<void> {
  let last = 0;
  let quiet = 0;
  await until(`the agent of "${node.name}" is content and writes nothing more`, async () => {
    const { lans } = await node.view();
    const { length } = node.agent.output;
    quiet = length === last ? quiet + 1 : 0;
    last = length;
    // It looks 50 ms after a change, its own included, and says what it does.
    return quiet >= 3 && lans.every(({ state }) => state === "Active");
  }, { timeout: 20_000, interval: 100 });
}
