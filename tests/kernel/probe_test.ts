/** Whether frames really get from node to node: what agents find out of it, whatever the underlay does. */

import assert from "node:assert/strict";
import type { ProbeView } from "../../src/api/agent_protocol.ts";
import { encodeHello, type Hello, lanKey } from "../../src/probe/hello_codec.ts";
import {
  type AgentLab,
  type AgentLabOptions,
  type AgentNode,
  createAgentLab,
  seedLan,
} from "../support/agent_lab.ts";
import { LAN } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { bytes, ethernet } from "../support/packets.ts";
import { FrameSocket } from "../support/raw_frames.ts";
import { dropMulticast } from "../support/unicast_fabric.ts";
import { until } from "../support/until.ts";

const PATIENCE = { timeout: 45_000, interval: 100 };

/** A lab with one workload on each node, and hello frames every second. */
async function probedLab(
  options: Partial<AgentLabOptions> = {},
  spec: Readonly<Record<string, unknown>> = {},
): Promise<AgentLab> {
  const lab = await createAgentLab({ nodes: 2, probeInterval: 1, ...options });
  try {
    const lan = seedLan(lab);
    await lab.putLan({ ...lan, spec: { ...lan.spec, ...spec } });
    for (const [at, node] of lab.nodes.entries()) {
      const pod = await lab.addWorkload(`pod${at + 1}`);
      const attach = at === 0 ? "macvtap" : "veth";
      await node.attach(pod, { lan: LAN, spoke: `pod${at + 1}`, attach });
    }
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function probeOf(node: AgentNode): Promise<ProbeView | undefined> {
  return (await node.view()).lans[0]?.probe;
}

/** Waits until a node sees its peers so, in the order of their names. */
async function sees(node: AgentNode, ...states: readonly string[]): Promise<ProbeView> {
  let last: ProbeView | undefined;
  try {
    return await until(`"${node.name}" sees ${states}`, async () => {
      last = await probeOf(node);
      return last?.nodes.map(({ state }) => state).join() === states.join() ? last : undefined;
    }, PATIENCE);
  } catch (cause) {
    throw new Error(`"${node.name}" sees ${JSON.stringify(last)}`, { cause });
  }
}

async function allReachable(lab: AgentLab): Promise<void> {
  const others = lab.nodes.slice(1).map(() => "reachable");
  await Promise.all(lab.nodes.map((node) => sees(node, ...others)));
}

/** Runs a shell command where the nodes' links meet. */
async function atFabric(lab: AgentLab, command: string): Promise<void> {
  await lab.net.run(lab.net.netnsPath("fabric"), ["sh", "-euc", command]);
}

/** What a node's own firewall drops of the VXLANs' packets: a rule of nft. */
async function dropsAt({ host }: AgentNode, rule: string): Promise<void> {
  const chain = `type filter hook input priority 0\n${rule}`;
  await host.run(["nft", `table ip6 k8slan-test {\nchain input {\n${chain}\n}\n}`]);
}

async function dropsNoMoreAt({ host }: AgentNode): Promise<void> {
  await host.run(["nft", "delete", "table", "ip6", "k8slan-test"]);
}

rootTest(
  "Prober finds that all nodes of a LAN reach each other with frames of full size",
  async () => {
    await using lab = await probedLab({ nodes: 3 });
    await allReachable(lab);
    for (const node of lab.nodes) {
      const { state, peers, reachable, mtu } = await probeOf(node) ?? {};
      assert.deepEqual({ state, peers, reachable, mtu }, {
        ...{ state: "Known", peers: 2, reachable: 2, mtu: 1426 },
      });
      // The shortest of the last few counts: the first one may have waited for a processor.
      await until(`"${node.name}" tells of a short round trip`, async () => {
        const { roundTripMs = 0 } = await probeOf(node) ?? {};
        return roundTripMs > 0 && roundTripMs < 1_000;
      }, PATIENCE);
    }
  },
);

/** They wait most of the time, so they run beside each other. */
rootTest("Prober tells", async (t) => {
  const alone = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
  const steps = Object.entries(FAULTS).map(([name, fn]) => t.step({ ...alone, name, fn }));
  assert.ok((await Promise.all(steps)).every((passed) => passed));
});

const FAULTS: Readonly<Record<string, () => Promise<void>>> = {
  async "of a node whose multicast does not arrive, until it does"() {
    await using lab = await probedLab();
    await allReachable(lab);
    const flags = (state: string) =>
      `for port in worker1 worker2; do bridge link set dev $port mcast_flood ${state}; done`;
    await atFabric(lab, flags("off"));
    await Promise.all(lab.nodes.map((node) => sees(node, "silent")));
    await atFabric(lab, flags("on"));
    await allReachable(lab);
  },

  async "which direction is cut"() {
    await using lab = await probedLab();
    await allReachable(lab);
    const [one, two] = lab.nodes as [AgentNode, AgentNode];
    // Nothing reaches the second node, which goes on sending.
    await atFabric(lab, "bridge link set dev worker2 mcast_flood off");
    await sees(two, "silent");
    await sees(one, "oneWay");
    await atFabric(lab, "bridge link set dev worker2 mcast_flood on");
    await allReachable(lab);
  },

  async "of a firewall that lets the group pass and no packet for a node"() {
    await using lab = await probedLab();
    await allReachable(lab);
    const [one, two] = lab.nodes as [AgentNode, AgentNode];
    const [here, there] = ["pod1", "pod2"].map((name) =>
      new FrameSocket(lab.net.netnsPath(name), "net1")
    );
    using _here = here!;
    using _there = there!;
    await dropsAt(two, `ip6 daddr ${await two.host.linkLocal("eth1")} udp dport 4789 drop`);
    await sees(one, "groupOnly");
    await sees(two, "reachable");
    await dropsNoMoreAt(two);
    await allReachable(lab);
    for (const end of [here, there]) assert.deepEqual(end!.take().filter(isHello), []);
  },

  async "of frames that are lost by chance, and who is reached still"() {
    await using lab = await probedLab();
    await allReachable(lab);
    const [one, two] = lab.nodes as [AgentNode, AgentNode];
    await dropsAt(two, "udp dport 4789 numgen random mod 100 < 30 drop");
    await until(`"${two.name}" tells of loss`, async () => {
      const [peer] = (await probeOf(two))?.nodes ?? [];
      return peer?.state === "reachable" && peer.lossPercent > 0;
    }, PATIENCE);
    // Nothing is dropped of what the first one hears. By chance it may have been told for a while that
    // frames of full size do not arrive.
    const { nodes: [peer] } = await sees(one, "reachable");
    assert.equal(peer?.lossPercent, 0);
  },

  async "of the MTU of a fabric that carries less than the nodes believe"() {
    await using lab = await probedLab();
    await allReachable(lab);
    // A bridge lets 18 bytes of Ethernet pass: 1418 - 14 - 40 - 8 - 8 - 14.
    await atFabric(lab, "for port in worker1 worker2; do ip link set $port mtu 1400; done");
    for (const node of lab.nodes) {
      const mtu = await until(`"${node.name}" has found the MTU`, async () => {
        const [peer] = (await probeOf(node))?.nodes ?? [];
        const { state, mtu = 0 } = peer ?? {};
        return state === "smallOnly" && mtu > 1318 && mtu <= 1334 ? mtu : undefined;
      }, PATIENCE);
      assert.ok(mtu % 1 === 0);
    }
    await atFabric(lab, "for port in worker1 worker2; do ip link set $port mtu 1500; done");
    await allReachable(lab);
  },
};

rootTest("Prober forgets a node that nothing is attached on any more at once", async () => {
  await using lab = await probedLab();
  await allReachable(lab);
  const [one, two] = lab.nodes as [AgentNode, AgentNode];
  const [attachment] = (await two.view()).attachments;
  await two.ask({ op: "del", containerId: attachment!.containerId, ifname: attachment!.ifname });
  await sees(one);
  assert.equal(await probeOf(two), undefined);
});

rootTest(
  "Prober takes an agent that stops for stopped, and finds it again when it is back",
  async () => {
    await using lab = await probedLab();
    await allReachable(lab);
    const [one, two] = lab.nodes as [AgentNode, AgentNode];
    await two.stop();
    await sees(one, "paused");
    await two.start();
    await allReachable(lab);
    await two.restart("SIGKILL");
    await allReachable(lab);
  },
);

rootTest("Prober says nothing when it is switched off", async () => {
  await using lab = await probedLab({ probeInterval: 0 });
  for (const node of lab.nodes) assert.equal((await probeOf(node))?.state, "Off");
});

rootTest(
  "Prober shows workloads none of its frames",
  async () => {
    await using lab = await probedLab({ probeInterval: 1 });
    const ends = ["pod1", "pod2"].map((name) => new FrameSocket(lab.net.netnsPath(name), "net1"));
    using _one = ends[0]!;
    using _two = ends[1]!;
    using underlay = new FrameSocket(lab.nodes[0]!.host.netns, "eth1", { outgoing: true });
    await allReachable(lab);
    // Frames of both nodes have gone by meanwhile, which are the witness that there were any.
    const areEnough = (all: readonly Uint8Array[]) =>
      all.filter(isHello).length >= 8 && all.filter(isDirect).length >= 2;
    const passed = await underlay.takeUntil(areEnough, PATIENCE.timeout);
    assert.ok(areEnough(passed), `${passed.filter(isHello).length} frames of hello`);
    for (const end of ends) assert.deepEqual(end.take().filter(isHello), []);
  },
);

/** Whether a frame carries a hello, be it in a VXLAN's packet. */
function isHello(frame: Uint8Array): boolean {
  return frame.toHex().includes(`88b5${new TextEncoder().encode("k8sl").toHex()}`);
}

/** Whether it does so to one node's address, and not to the group. */
function isDirect(frame: Uint8Array): boolean {
  return isHello(frame) && (frame[0]! & 1) === 0;
}

function says(frame: Uint8Array, { uniqueName }: AgentNode): boolean {
  return isHello(frame) && frame.toHex().includes(new TextEncoder().encode(uniqueName).toHex());
}

rootTest("Prober is not troubled by a workload that floods its ethertype and address", async () => {
  await using lab = await probedLab();
  await allReachable(lab);
  const [one] = lab.nodes as [AgentNode, AgentNode];
  const lan = (await one.view()).lans[0]!;
  const destination = lan.links.find(({ role }) => role === "bridge")!.mac;
  using wire = new FrameSocket(lab.net.netnsPath("pod1"), "net1");
  const junk = ethernet(
    { src: "02:00:00:00:00:77", dst: destination, type: 0x88b5 },
    bytes(new TextEncoder().encode("k8sl"), new Uint8Array(200)),
  );
  for (let count = 0; count < 20_000; count++) wire.send(junk);
  await one.ask({ op: "ready" });
  const before = await probeOf(one);
  assert.equal(before?.reachable, 1);
  // Someone who knows the LAN's UID can make up nodes, and no more than that.
  const hello: Hello = {
    ...{ node: "made-up", state: "running", mtu: 1426, seq: 1, intervalMs: 1_000, limitMs: 0 },
    ...{ peers: 0, echoes: [], tellsDirect: true },
  };
  const addresses = { source: "02:00:00:00:00:77", destination };
  const forged = encodeHello(hello, lanKey(lan.uid), addresses);
  for (let count = 0; count < 20_000; count++) wire.send(forged);
  await one.ask({ op: "ready" });
  const view = await until("the made-up node is seen for what it is", async () => {
    const view = await probeOf(one);
    const found = view?.nodes.map(({ node, state }) => `${node}=${state}`) ?? [];
    return found.some((text) => /^made-up=(silent|oneWay)$/.test(text)) ? view : undefined;
  }, PATIENCE);
  assert.equal(view.nodes.length, 2);
  await until("the other node is reached still", async () => (await probeOf(one))?.reachable === 1);
});

rootTest("Prober finds its way over a unicast underlay as well", async () => {
  await using lab = await probedLab({ nodes: 3, peers: true }, { underlay: "unicast" });
  await dropMulticast(lab);
  await allReachable(lab);
});

rootTest("Prober goes on when the VXLAN or the bridge is made anew", async () => {
  await using lab = await probedLab();
  await allReachable(lab);
  const [one] = lab.nodes as [AgentNode, AgentNode];
  const inLan = (...args: string[]) =>
    lab.net.run(`${one.netnsDir}/knlvrf`, ["ip", "link", ...args]);
  for (const link of ["vx2", "br2"]) {
    await inLan("del", link);
    await until(`"${link}" is there again`, async () => await inLan("show", "up", link) !== "");
    using witness = new FrameSocket(one.host.netns, "eth1", { outgoing: true });
    const own = (all: readonly Uint8Array[]) => all.filter((frame) => says(frame, one)).length >= 6;
    assert.ok(own(await witness.takeUntil(own, 20_000)), `"${one.name}" says hello again`);
    await allReachable(lab);
  }
});
