/** Row "protect": what pinned addresses and limited broadcast cost, beside the same LAN without. */

import { cpuUsage } from "node:process";
import type { Lab } from "../../tests/support/netns_lab.ts";
import { ethernet } from "../../tests/support/packets.ts";
import { FrameSocket } from "../../tests/support/raw_frames.ts";
import { addRequest, BenchAgent, delRequest, numberedLan } from "./bench_agent.ts";
import type { Bench } from "./bench.ts";
import type { Finding } from "./finding.ts";
import type { Section } from "./section.ts";
import { median } from "./stats.ts";
import { gigabits, type Kind, type Path, pathOf, preparePath } from "./throughput_row.ts";

const KINDS: readonly Kind[] = ["macvtap", "veth"];
const IFNAME = "net1";
const BUDGET = 0.98;
/** For local experiments (IEEE 802, clause 9): nobody listens. */
const EXPERIMENT = 0x88b5;
/** Sent in a row, some hundredths of a second. */
const FRAMES = 5_000;
/** LANs by whether they are protected. */
const PLAIN = 1;
const PROTECTED = 2;
const PROTECTION = { pinMac: true, broadcastLimit: 1000 };

export const PROTECT_SECTION: Section = {
  heading: "## Protection options",
  about:
    `Written by \`scripts/bench protect\`: a LAN with \`pinMac: true\` and \`broadcastLimit: 1000\` beside one
without, on the same two nodes (\`docs/protection.md\`).`,
  notes: `How:

- **TCP**: iperf3, one stream, across two nodes; both LANs are there at once and are used in turns.
- **Processor time of one small frame**: 60 bytes, unicast, from the call that sends it at the one
  workload until it is at the other, the sender's own share included; 5000 in a row, in turns.
- **ADD, DEL**: from a request on the agent's socket to the answer, the LAN being on the node.
`,
};

export function protectRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 2 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const agents = await startAgents(lab);
  const findings: Finding[] = [];
  const turns = bench.quick ? 1 : 11;
  for (const [at, kind] of KINDS.entries()) {
    const paths = [
      await pathOfLan(lab, agents, PROTECTED, at, kind),
      await pathOfLan(lab, agents, PLAIN, at, kind),
    ];
    for (const path of paths) await preparePath(lab, path);
    const tcp = await inTurns(turns, paths, (path) => gigabits(lab, path));
    const costs = await frameCosts(lab, paths, 20 * turns);
    findings.push(
      beside(`TCP across two nodes, ${kind}`, "Gbit/s", tcp, { leastOfOther: BUDGET }),
      beside(`Processor time of one small frame across two nodes, ${kind}`, "µs", costs),
    );
  }
  findings.push(...await attaching(lab, agents[0]!, bench.quick ? 3 : 60));
  return findings;
}

function beside(
  what: string,
  unit: Finding["unit"],
  [ours = 0, other = 0]: readonly number[],
  budget?: Finding["budget"],
): Finding {
  const name = "without options";
  return { what, unit, ours, other: { name, value: other }, ...(budget && { budget }) };
}

/** The median of each. */
async function inTurns<T>(
  turns: number,
  things: readonly T[],
  once: (thing: T) => Promise<number>,
): Promise<number[]> {
  const samples: number[][] = things.map(() => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const [which, thing] of things.entries()) samples[which]!.push(await once(thing));
  }
  return samples.map(median);
}

async function startAgents(lab: Lab): Promise<readonly BenchAgent[]> {
  return await Promise.all(lab.nodes.map(async (node) => {
    const agent = new BenchAgent(node);
    const [plain, other] = [PLAIN, PROTECTED].map((number) => numberedLan(node, number, 5));
    const guarded = { ...other!, spec: { ...other!.spec, ...PROTECTION } };
    await agent.putLans("lans.yaml", [plain!, guarded]);
    await agent.start();
    return agent;
  }));
}

/** Spoke `which` of a LAN: the same number leads to the same LAN on each node. */
function spokeOf(lab: Lab, number: number, which: number) {
  const { metadata, spec } = numberedLan(lab.nodes[0]!, number, 5);
  return { lan: `${metadata.namespace}/${metadata.name}`, spoke: spec.spokes[which]! };
}

async function pathOfLan(
  lab: Lab,
  agents: readonly BenchAgent[],
  number: number,
  at: number,
  attach: Kind,
): Promise<Path> {
  const ends: string[] = [];
  for (const [node, agent] of agents.entries()) {
    const netns = await lab.addNetns(`${attach}-${number}-${node}`);
    const spoke = spokeOf(lab, number, 2 * at + node);
    await agent.ask(addRequest({ netns, ifname: IFNAME, ...spoke, attach }));
    ends.push(netns);
  }
  return pathOf(ends, `10.${90 + number}.${at}`);
}

/**
 * Processor time for a frame all the way to the workload on the other node, in microseconds: all of it
 * happens while the sender is in `send`, whatever else the machine does.
 */
export async function frameCosts(
  lab: Lab,
  paths: readonly Path[],
  rounds: number,
): Promise<number[]> {
  const senders = await Promise.all(paths.map(async ({ client, server }) => {
    const [src = "", dst = ""] = await Promise.all(
      [client, server].map(async (netns) =>
        (await lab.links(netns)).find(({ ifname }) => ifname === IFNAME)?.address
      ),
    );
    const frame = ethernet({ src, dst, type: EXPERIMENT }, new Uint8Array(46));
    return { socket: new FrameSocket(client, IFNAME), frame };
  }));
  try {
    return await inTurns(rounds, senders, ({ socket, frame }) => {
      const before = cpuUsage();
      for (let sent = 0; sent < FRAMES; sent++) socket.send(frame);
      const { user, system } = cpuUsage(before);
      return Promise.resolve((user + system) / FRAMES);
    });
  } finally {
    for (const { socket } of senders) socket[Symbol.dispose]();
  }
}

/** What the filters take of an attach and of a detach. */
async function attaching(lab: Lab, agent: BenchAgent, count: number): Promise<Finding[]> {
  const netns = await lab.addNetns("attached");
  const lans = [PROTECTED, PLAIN].map((number) => ({
    ...{ netns, ifname: "net7", ...spokeOf(lab, number, 4) },
    adds: [] as number[],
    dels: [] as number[],
  }));
  for (let turn = 0; turn < count; turn++) {
    for (const lan of lans) {
      lan.adds.push(await agent.time(addRequest(lan)));
      lan.dels.push(await agent.time(delRequest(lan)));
    }
  }
  const medians = (pick: (lan: typeof lans[number]) => number[]) => lans.map(pick).map(median);
  return [
    beside("Agent: ADD of a macvtap", "ms", medians(({ adds }) => adds)),
    beside("Agent: DEL, not the last of the LAN", "ms", medians(({ dels }) => dels)),
  ];
}
