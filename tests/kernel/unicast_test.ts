/** LANs over networks without multicast: each node sends to its peers one by one. */

import assert from "node:assert/strict";
import { type AgentLab, createAgentLab, type LanDocument, seedLan } from "../support/agent_lab.ts";
import { differences, oneOfEach, sentinel } from "../support/frame_kinds.ts";
import { lanTest } from "../support/lan_features.ts";
import { NumberedStream } from "../support/numbered_stream.ts";
import {
  attachStation,
  disposeAll,
  pass,
  type Station,
  untilAllHear,
} from "../support/stations.ts";
import {
  type Addresses,
  dropMulticast,
  routeBetween,
  tableOf,
  tellPeers,
  untilSendsTo,
} from "../support/unicast_fabric.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";
const MTU = 1426;

function unicastLan(lab: AgentLab): LanDocument {
  const { metadata, spec } = seedLan(lab);
  return { metadata, spec: { ...spec, underlay: "unicast" } };
}

/** One station a node, named as their spokes. */
async function stationsOf(lab: AgentLab, lan = LAN, kinds = ["macvtap"]): Promise<Station[]> {
  return await Promise.all(lab.nodes.map(({ name }, at) => {
    const [spoke, attach] = [`pod${at + 1}`, kinds[at % kinds.length]];
    return attachStation(lab, name, spoke, { lan, spoke, attach });
  }));
}

async function requireAllKinds(stations: readonly Station[]): Promise<void> {
  await untilAllHear(stations);
  for (const from of stations) {
    for (const to of stations.filter((station) => station !== from)) {
      to.wire.take();
      const frames = oneOfEach({ src: from.mac, dst: to.mac, mtu: MTU });
      const last = sentinel(from.mac);
      const received = await pass(from.wire, to.wire, [...frames, last]);
      const path = `${from.workload.name} to ${to.workload.name}`;
      assert.deepEqual(differences([...frames, last], received), [], path);
    }
  }
}

async function othersOf(lab: AgentLab, addresses: Addresses): Promise<void> {
  const names = lab.nodes.map(({ name }) => name);
  await Promise.all(
    lab.nodes.map((node) =>
      untilSendsTo(node, addresses, ...names.filter((name) => name !== node.name))
    ),
  );
}

const FABRICS = [
  ["one segment without multicast", dropMulticast],
  ["a router between all nodes", routeBetween],
] as const;

for (const [what, lay] of FABRICS) {
  lanTest(`a LAN with a unicast underlay carries every kind of frame: ${what}`, async () => {
    await using lab = await createAgentLab({ nodes: 3, peers: true });
    const addresses = await lay(lab);
    await tellPeers(lab, addresses);
    await lab.putLan(unicastLan(lab));
    const stations = await stationsOf(lab, LAN, ["macvtap", "veth"]);
    using _all = disposeAll(stations);
    await othersOf(lab, addresses);
    await requireAllKinds(stations);
    for (const node of lab.nodes) assert.deepEqual((await node.view()).lans[0]?.conditions, []);
  });
}

lanTest(
  "a LAN with a multicast underlay carries nothing where multicast gets nowhere",
  async () => {
    await using lab = await createAgentLab({ nodes: 2 });
    await dropMulticast(lab);
    await lab.putLan(seedLan(lab));
    const stations = await stationsOf(lab);
    using _all = disposeAll(stations);
    const [from, to] = stations;
    from!.wire.send(sentinel(from!.mac).frame);
    const received = await to!.wire.takeUntil((frames) => frames.length > 0, 500);
    assert.deepEqual(received, []);
  },
);

lanTest(
  "peers come and go, the agent dies, its VXLAN is lost: others lose no frame for it",
  async () => {
    await using lab = await createAgentLab({ nodes: 3, peers: true });
    const addresses = await routeBetween(lab);
    const [one, two, three] = ["worker1", "worker2", "worker3"].map((name) => addresses.get(name)!);
    const node = lab.node("worker1");
    for (const other of lab.nodes) await other.putPeers([one!, two!]);
    await lab.putLan(unicastLan(lab));
    const stations = await stationsOf(lab);
    using _all = disposeAll(stations);
    await untilSendsTo(node, addresses, "worker2");
    const [from, to, third] = stations;
    const ends = [from!, to!].map(({ workload: { netns } }) => ({ netns, ifname: "net1" }));
    const frame = sentinel(third!.mac);
    await requireAllKinds([from!, to!]);

    // To one station, and to all of them.
    using single = new NumberedStream(ends[0]!, ends[1]!, 200, to!.mac);
    using flood = new NumberedStream(ends[0]!, ends[1]!, 200);
    await until("frames flow", () => flood.sent > 50);
    await node.putPeers([three!, "# the second rack", two!]);
    await untilSendsTo(node, addresses, "worker2", "worker3");
    await lab.node("worker3").putPeers([one!]);
    await until("the third node sends, and is learned", async () => {
      third!.wire.send(frame.frame);
      return (await tableOf(node))[three!]?.includes(third!.mac);
    });
    await node.stop("SIGKILL");
    await untilSendsTo(node, addresses, "worker2", "worker3");
    await node.start();
    await until("the restarted agent has looked", async () => (await node.view()).lans[0]?.state);
    await untilSendsTo(node, addresses, "worker2", "worker3");
    assert.ok((await tableOf(node))[three!]!.includes(third!.mac), "what was learned stays");
    await node.putPeers([two!]);
    await untilSendsTo(node, addresses, "worker2");
    assert.ok(
      !(await tableOf(node))[three!]?.includes(third!.mac),
      "what was learned of it has gone",
    );
    for (const stream of [single, flood]) {
      const { sent, lost, outOfPlace } = await stream.stop();
      assert.deepEqual([lost, outOfPlace], [[], 0], `of ${sent}`);
    }

    // A slip changes nothing, and is told.
    await node.putPeers([two!, "worker3"]);
    const problem = await until("it is told", async () => (await node.view()).problems[0]);
    assert.deepEqual(problem.reason, "InvalidPeers");
    assert.match(problem.message, /line 2: expected the IPv6 address of a node, found "worker3"/);
    await untilSendsTo(node, addresses, "worker2");

    await lab.net.run(`${node.netnsDir}/knlvrf`, ["ip", "link", "del", "vx2"]);
    await untilSendsTo(node, addresses, "worker2");
    await requireAllKinds([from!, to!]);
  },
);

lanTest(
  "a LAN with a unicast underlay is refused by an agent that nobody tells the peers",
  async () => {
    await using lab = await createAgentLab({ nodes: 1 });
    await lab.putLan(unicastLan(lab));
    const workload = await lab.addWorkload("pod1");
    const { code, output } = await lab.node("worker1").cni("ADD", workload, {
      lan: LAN,
      spoke: "pod1",
    });
    assert.equal(code, 1);
    assert.match(`${output?.["msg"]}`, /unicast underlay.* start it with --peers/);
  },
);
