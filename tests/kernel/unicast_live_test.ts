/** A LAN with a unicast underlay, in use while a node's address or its device changes. */

import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  type LanDocument,
  seedLan,
} from "../support/agent_lab.ts";
import { differences, oneOfEach, sentinel } from "../support/frame_kinds.ts";
import { lanTest } from "../support/lan_features.ts";
import { NumberedStream, type StreamReport } from "../support/numbered_stream.ts";
import { say } from "../support/say.ts";
import { attachStation, pass, type Station, untilAllHear } from "../support/stations.ts";
import {
  type Addresses,
  routeBetween,
  routeFrom,
  tellPeers,
  untilSendsTo,
} from "../support/unicast_fabric.ts";
import { until } from "../support/until.ts";

const MTU = 1426;

interface Live extends AsyncDisposable {
  readonly lab: AgentLab;
  /** Whose underlay changes. */
  readonly node: AgentNode;
  readonly lan: LanDocument;
  /** At first. */
  readonly addresses: Addresses;
  /** Two on the node, and one on another. */
  readonly one: Station;
  readonly near: Station;
  readonly far: Station;
}

async function prepareLive(): Promise<Live> {
  const lab = await createAgentLab({ nodes: 2, peers: true });
  const stations: Station[] = [];
  const station = async (node: string, spoke: string, attach: string) => {
    const made = await attachStation(lab, node, spoke, {
      ...{ lan: "k8slan-system/lan-test", spoke, attach },
    });
    stations.push(made);
    return made;
  };
  const dispose = async () => {
    for (const made of stations) made[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  };
  try {
    const addresses = await routeBetween(lab);
    await tellPeers(lab, addresses);
    const { metadata, spec } = seedLan(lab);
    const lan = { metadata, spec: { ...spec, underlay: "unicast" } };
    await lab.putLan(lan);
    const live = {
      ...{ lab, lan, addresses, node: lab.node("worker1") },
      one: await station("worker1", "pod1", "macvtap"),
      near: await station("worker1", "pod2", "veth"),
      far: await station("worker2", "pod3", "macvtap"),
      [Symbol.asyncDispose]: dispose,
    };
    await untilAllHear(stations);
    await sendsBothWays(live, addresses);
    return live;
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function sendsBothWays({ lab, node, one, near, far }: Live, now: Addresses): Promise<void> {
  await untilSendsTo(node, now, "worker2");
  await untilSendsTo(lab.node("worker2"), now, "worker1");
  for (const [from, to] of [[one, far], [far, one], [near, far], [far, near]] as const) {
    to.wire.take();
    const frames = [...oneOfEach({ src: from.mac, dst: to.mac, mtu: MTU }), sentinel(from.mac)];
    const received = await pass(from.wire, to.wire, frames);
    assert.deepEqual(differences(frames, received), [], `${from.workload.name} to others`);
  }
}

/** The address that the node's VXLAN sends from. */
async function sourceOf({ lab, node }: Live): Promise<unknown> {
  const links = await lab.net.links(`${node.netnsDir}/knlvrf`);
  return links.find(({ ifname }) => ifname === "vx2")?.linkinfo?.info_data?.["local6"];
}

async function untilFrom(live: Live, address: string): Promise<void> {
  await until(`the VXLAN sends from ${address}`, async () => await sourceOf(live) === address);
}

async function reasons({ node, lan }: Live): Promise<string> {
  return (await node.lan(lan))?.conditions.map(({ reason }) => reason).join() ?? "no such LAN";
}

/** A station that says nothing, which the other node knew at the former address, is found anew. */
async function isFound({ near, far }: Live): Promise<void> {
  await until("frames for a silent station get there", async () => {
    using stream = streamOf(far, near, near.mac);
    await until("some are sent", () => stream.sent >= 20);
    return (await stream.stop()).lost.length === 0;
  });
}

function streamOf(from: Station, to: Station, dst?: string): NumberedStream {
  const [here, there] = [from, to].map(({ workload: { netns } }) => ({ netns, ifname: "net1" }));
  return new NumberedStream(here!, there!, 1_000, dst);
}

function isWhole({ sent, lost, outOfPlace }: StreamReport): void {
  assert.ok(sent > 0);
  assert.deepEqual({ lost, outOfPlace }, { lost: [], outOfPlace: 0 });
}

lanTest(
  "a node whose address changes has a VXLAN with the new one, and others follow",
  async () => {
    await using live = await prepareLive();
    const { lab, node, addresses, one, near, far } = live;
    using there = streamOf(one, near);
    const next = "2001:db8:1::3";
    await node.host.run([
      ...["sh", "-euc"],
      `ip addr add ${next}/64 dev eth1 nodad; ip addr del ${addresses.get("worker1")}/64 dev eth1`,
    ]);
    await untilFrom(live, next);
    assert.equal(await reasons(live), "");

    // Nobody has told the other node yet.
    await isFound(live);
    const last = sentinel(one.mac);
    assert.deepEqual(differences([last], await pass(one.wire, far.wire, [last])), []);
    near.wire.take();
    const lost = sentinel(far.mac);
    far.wire.send(lost.frame);
    const strayed = await near.wire.takeUntil(
      (frames) => differences([lost], frames).length === 0,
      500,
    );
    assert.notDeepEqual(differences([lost], strayed), [], "what is for all went to an old address");

    const now = new Map([...addresses, ["worker1", next]]);
    await tellPeers(lab, now);
    await sendsBothWays(live, now);
    isWhole(await there.stop());
  },
);

interface Move {
  readonly device: string;
  /** Where the LAN is then. */
  readonly from: "eth1" | "eth2";
  /** Why it could not move. */
  readonly reason?: string;
}

const MOVES: readonly Move[] = [
  { device: "eth2", from: "eth2" },
  { device: "eth9", from: "eth2", reason: "UnderlayMissing" },
  { device: "eth1", from: "eth1" },
];

/** Frames to another node that a move may cost, at a thousand a second: it takes some 20 ms. */
const GAP_MAX = 500;

lanTest(
  "a unicast LAN moves to another underlay by its device map, and others follow",
  async () => {
    await using live = await prepareLive();
    const { lab, node, lan, addresses, one, near, far } = live;
    const fabric = lab.net.netnsPath("fabric");
    await node.host.run([
      ...["sh", "-euc"],
      `ip link add eth2 up type veth peer name second netns ${fabric};` +
      `nsenter --net=${fabric} ip link set second up`,
    ]);
    const second = { device: "eth2", peer: "second", metric: 2048 };
    const sources = {
      eth1: addresses.get("worker1")!,
      eth2: await routeFrom(lab, node, 11, second),
    };
    const gaps: number[] = [];
    for (const { device, from, reason } of MOVES) {
      using there = streamOf(one, near);
      using across = streamOf(one, far);
      const vxlanDevMap = { ...Object(lan.spec["vxlanDevMap"]), [node.uniqueName]: device };
      await lab.putLan({ ...lan, spec: { ...lan.spec, vxlanDevMap } });
      await until(
        `the LAN follows to ${device}`,
        async () => await reasons(live) === (reason ?? ""),
      );
      await untilFrom(live, sources[from]);
      await isFound(live);
      isWhole(await there.stop());
      const { lost, outOfPlace } = await across.stop();
      assert.equal(outOfPlace, 0, device);
      if (reason === undefined) {
        gaps.push(lost.length);
      } else assert.deepEqual(lost, [], device);
      const now = new Map([...addresses, ["worker1", sources[from]]]);
      await tellPeers(lab, now);
      await sendsBothWays(live, now);
    }
    const figures = `Moves to another underlay cost ${
      gaps.join(", ")
    } frames of a thousand a second`;
    say(figures);
    assert.ok(Math.max(...gaps) <= GAP_MAX, figures);
  },
);
