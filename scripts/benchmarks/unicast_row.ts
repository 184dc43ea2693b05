/** Row "unicast": peers added to a LAN, and what sending to each of them costs beside multicast. */

import { UNKNOWN_MAC } from "../../src/base/mac.ts";
import { openPlace } from "../../src/kernel/places.ts";
import { decodeForwarding, dumpForwarding } from "../../src/netlink/forwarding.ts";
import type { LanDocument } from "../../tests/support/agent_lab.ts";
import type { Lab, LabNode } from "../../tests/support/netns_lab.ts";
import { until } from "../../tests/support/until.ts";
import { addRequest, BenchAgent, numberedLan } from "./bench_agent.ts";
import type { Bench } from "./bench.ts";
import type { Finding } from "./finding.ts";
import { frameCosts } from "./protect_row.ts";
import type { Section } from "./section.ts";
import { median } from "./stats.ts";
import { gigabits, type Path, pathOf, preparePath } from "./throughput_row.ts";

const PEERS = [2, 8, 64];
const BUDGET = 0.98;
const IFNAME = "net1";
/** LANs by how they get to other nodes. */
const UNICAST = 1;
const MULTICAST = 2;
/** Nodes with an agent and a workload; the others only take frames in. */
const REAL = 2;

export const UNICAST_SECTION: Section = {
  heading: "## Unicast underlay",
  about:
    `Written by \`scripts/bench unicast\`: a LAN with \`underlay: unicast\` beside one with multicast, on the
same two nodes, while the first has 2, 8 or 64 peers (\`docs/underlays.md\`). Nodes beyond the two are
network namespaces with a VXLAN that takes the frames in.`,
  notes: `How:

- **A peer more**: from a line in the file that two agents read to both kernels sending there. The agents
  wait 100 ms for the file to be complete and 50 ms for more to do. Beside it, the same change typed:
  one \`bridge fdb append\` on each of the two nodes.
- **Entries**: the lines of \`bridge fdb\` that each node has for what goes to all; there is one with
  multicast.
- **TCP**: iperf3, one stream for a second, 48 times across two nodes; both LANs are there at once and are
  used in turns, first the one and then the other. The ratio scatters by some percent from run to run, both
  ways; whether unicast costs more, the next row tells better. A frame to all leaves the node once for each
  entry, which is not measured here: one machine would play sender, network and all receivers.
- **Processor time of one small frame**: 60 bytes to one station, as in "Protection options". All of it
  happens while the sender sends, so other work of the machine does not show in it as it does in TCP's
  figures.
`,
};

export function unicastRow(bench: Bench): Promise<readonly Finding[]> {
  const counts = bench.quick ? PEERS.slice(0, 1) : PEERS;
  // One more: the peer that is added.
  return bench.withLab({ nodes: Math.max(...counts) + 1 }, (lab) => measure(bench, lab, counts));
}

async function measure(bench: Bench, lab: Lab, counts: readonly number[]) {
  const addresses = await Promise.all(lab.nodes.map((node) => node.linkLocal("eth1")));
  for (const [at, node] of lab.nodes.entries()) {
    if (at >= REAL) await playPeer(node, addresses[at]!);
  }
  const peersFile = `${lab.dir}/bench-peers/list`;
  await Deno.mkdir(`${lab.dir}/bench-peers`);
  const putPeers = async (count: number) => {
    await Deno.writeTextFile(`${peersFile}.new`, addresses.slice(0, count + 1).join("\n"));
    await Deno.rename(`${peersFile}.new`, peersFile);
  };
  await putPeers(counts[0]!);
  const nodes = await startAgents(lab, peersFile);
  const paths = [await pathOfLan(lab, nodes, UNICAST), await pathOfLan(lab, nodes, MULTICAST)];
  const findings: Finding[] = [];
  const turns = bench.quick ? 1 : 16;
  for (const [which, count] of counts.entries()) {
    const both = async (wanted: number) => {
      await until(`both nodes send to ${wanted} others`, () => {
        return nodes.every(({ netns }) => peersOf(netns) === wanted);
      }, { interval: 1, timeout: 20_000 });
    };
    const ours: number[] = [];
    const typed: number[] = [];
    for (let turn = 0; turn < turns; turn++) {
      await putPeers(count - 1);
      await both(count - 1);
      ours.push(
        await timed(async () => {
          await putPeers(count);
          await both(count);
        }),
      );
      typed.push(await timed(() => appendByHand(lab, nodes, `fe80::${turn + 1}:${count}`)));
    }
    await putPeers(count - 1);
    await both(count - 1);
    await putPeers(count);
    await both(count);
    if (which === 0) { for (const path of paths) await preparePath(lab, path); }
    // Each connection is lucky or not with its processor: many short ones say more than few long ones.
    const tcp = await inTurns(3 * turns, paths, (path) => gigabits(lab, path, 1));
    const peers = `${count} peers`;
    const costs = await frameCosts(lab, paths, 10 * turns);
    findings.push(
      {
        ...{ what: `A peer more, the ${ordinal(count)}`, unit: "ms", ours: median(ours) },
        other: { name: "typed on both nodes", value: median(typed) },
      },
      { ...{ what: `Entries for all, ${peers}`, unit: "entries", ours: peersOf(nodes[0]!.netns) } },
      {
        ...{ what: `TCP across two nodes, ${peers}`, unit: "Gbit/s", ours: tcp[0] ?? 0 },
        other: { name: "multicast", value: tcp[1] ?? 0 },
        budget: { leastOfOther: BUDGET },
      },
      {
        what: `Processor time of one small frame across two nodes, ${peers}`,
        ...{ unit: "µs", ours: costs[0] ?? 0 },
        other: { name: "multicast", value: costs[1] ?? 0 },
      },
    );
  }
  return findings;
}

/** The median of each. */
async function inTurns<T>(
  turns: number,
  things: readonly T[],
  once: (thing: T) => Promise<number>,
) {
  const samples: number[][] = things.map(() => []);
  for (let turn = 0; turn < turns; turn++) {
    // Who is first in a turn finds the machine in another state than who is second.
    const order = [...things.entries()];
    if (turn % 2 === 1) order.reverse();
    for (const [which, thing] of order) samples[which]!.push(await once(thing));
  }
  return samples.map(median);
}

async function timed(run: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

/** A node with an agent, and the namespace of its LAN with a unicast underlay. */
interface RealNode {
  readonly node: LabNode;
  readonly agent: BenchAgent;
  readonly netns: string;
}

function lanOf(node: LabNode, number: number): LanDocument {
  const { metadata, spec } = numberedLan(node, number, REAL);
  const underlay = number === UNICAST ? "unicast" : "multicast";
  return { metadata, spec: { ...spec, underlay } };
}

async function startAgents(lab: Lab, peersFile: string): Promise<readonly RealNode[]> {
  return await Promise.all(
    lab.nodes.slice(0, REAL).map(async (node) => {
      const agent = new BenchAgent(node, ["--peers", peersFile]);
      const lans = [UNICAST, MULTICAST].map((number) => lanOf(node, number));
      await agent.putLans("lans.yaml", lans);
      await agent.start();
      return { node, agent, netns: `${node.dir}/run/netns/${lans[0]!.spec["ns"]}` };
    }),
  );
}

/** Gives a node nothing but a VXLAN of the same LAN, which throws away what comes. */
async function playPeer(node: LabNode, address: string): Promise<void> {
  const { spec } = lanOf(node, UNICAST);
  await node.run([
    ...["sh", "-euc"],
    `ip link add vx0 type vxlan id ${spec["vni"]} local ${address} dev eth1 dstport 4789; ` +
    "sysctl -qw net.ipv6.conf.vx0.disable_ipv6=1; ip link set vx0 up",
  ]);
}

async function pathOfLan(lab: Lab, nodes: readonly RealNode[], number: number): Promise<Path> {
  const ends: string[] = [];
  for (const [at, { node, agent }] of nodes.entries()) {
    const { metadata, spec } = lanOf(node, number);
    const netns = await lab.addNetns(`end-${number}-${at}`);
    const lan = `${metadata.namespace}/${metadata.name}`;
    await agent.ask(addRequest({ netns, ifname: IFNAME, lan, spoke: spec.spokes[at]! }));
    ends.push(netns);
  }
  return pathOf(ends, `10.97.${number}`);
}

/** To how many nodes goes what is for all. */
function peersOf(netns: string): number {
  using place = openPlace(netns);
  return place.client.dump(dumpForwarding(), decodeForwarding)
    .filter(({ mac, dst }) => mac === UNKNOWN_MAC && dst !== undefined).length;
}

/** Adds a peer as a person would; the agent takes it away when it looks at the LAN the next time. */
async function appendByHand(lab: Lab, nodes: readonly RealNode[], address: string): Promise<void> {
  await Promise.all(
    nodes.map(({ netns }) =>
      lab.run(netns, ["bridge", "fdb", "append", UNKNOWN_MAC, "dev", "vx", "dst", address])
    ),
  );
}

function ordinal(count: number): string {
  return count === 2 ? "2nd" : `${count}th`;
}
