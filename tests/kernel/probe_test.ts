/** Whether frames really get from node to node: what agents find out of it, whatever the underlay does. */

import assert from "node:assert/strict";
import type { ProbeView } from "../../src/api/agent_protocol.ts";
import {
  type AgentLab,
  type AgentLabOptions,
  type AgentNode,
  createAgentLab,
  seedLan,
} from "../support/agent_lab.ts";
import { LAN } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { until } from "../support/until.ts";

const PATIENCE = { timeout: 45_000, interval: 100 };

/** A lab with one workload on each node, and hello frames every second. */
async function probedLab(options: Partial<AgentLabOptions> = {}): Promise<AgentLab> {
  const lab = await createAgentLab({ nodes: 2, probeInterval: 1, ...options });
  try {
    await lab.putLan(seedLan(lab));
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

rootTest(
  "Prober finds that all nodes of a LAN reach each other with frames of full size",
  async () => {
    await using lab = await probedLab({ nodes: 3 });
    await allReachable(lab);
    for (const node of lab.nodes) {
      const view = await probeOf(node);
      const { state, peers, reachable, mtu, roundTripMs = 0 } = view ?? {};
      assert.deepEqual({ state, peers, reachable, mtu }, {
        ...{ state: "Known", peers: 2, reachable: 2, mtu: 1426 },
      });
      assert.ok(roundTripMs > 0 && roundTripMs < 1_000, `${roundTripMs} ms`);
    }
  },
);

rootTest("Prober tells of a node whose multicast does not arrive, until it does", async () => {
  await using lab = await probedLab();
  await allReachable(lab);
  const flags = (state: string) =>
    `for port in worker1 worker2; do bridge link set dev $port mcast_flood ${state}; done`;
  await atFabric(lab, flags("off"));
  await Promise.all(lab.nodes.map((node) => sees(node, "silent")));
  await atFabric(lab, flags("on"));
  await allReachable(lab);
});

rootTest("Prober tells which direction is cut", async () => {
  await using lab = await probedLab();
  await allReachable(lab);
  const [one, two] = lab.nodes as [AgentNode, AgentNode];
  // Nothing reaches the second node, which goes on sending.
  await atFabric(lab, "bridge link set dev worker2 mcast_flood off");
  await sees(two, "silent");
  await sees(one, "oneWay");
  await atFabric(lab, "bridge link set dev worker2 mcast_flood on");
  await allReachable(lab);
});

rootTest("Prober finds the MTU of a fabric that carries less than the nodes believe", async () => {
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
});

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
