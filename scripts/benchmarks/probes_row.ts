/** Row "probes": what it costs to find out all the time whether nodes reach each other. */

import type { NodeView } from "../../src/api/agent_protocol.ts";
import { encodeHello, lanKey } from "../../src/probe/hello_codec.ts";
import { bridgeMac } from "../../src/plan/identity.ts";
import type { Lab } from "../../tests/support/netns_lab.ts";
import { FrameSocket } from "../../tests/support/raw_frames.ts";
import { until } from "../../tests/support/until.ts";
import { addRequest, BenchAgent, numberedLan } from "./bench_agent.ts";
import { type Bench, pause } from "./bench.ts";
import type { Finding } from "./finding.ts";
import type { Section } from "./section.ts";

const LANS = 100;
/** V8 tidies up for half a minute after work, and bridges report their ports once more. */
const SETTLE_MS = 40_000;
const IDLE_MS = 60_000;
const FLOOD_MS = 10_000;
const BUDGET_PERCENT = 0.2;
const PROBING = ["--probe-interval", "10"];
const SILENT = ["--probe-interval", "0"];

export const PROBES_SECTION: Section = {
  heading: "## Probes",
  about:
    `Written by \`scripts/bench probes\`: two nodes with ${LANS} LANs in use on both, whose agents say
hello to each other in each of them, beside the same agents with \`--probe-interval 0\`
(\`docs/connectivity.md\`).`,
  notes: `How:

- **agent**: processor time of one of the two agents in ${
    IDLE_MS / 1000
  } s in which nothing else happens, ${SETTLE_MS / 1000} s
  after its start; what is attached stays from one start to the other. The nodes share a kernel, which
  carries each frame to the other node's socket on the sender's account; with network cards it does not.
- **on the wire**: packets through that node's underlay in the same time, neighbour discovery of the
  kernel among them.
- **flood**: one workload sends forged hello frames, with the LAN's key, as fast as one thread can. The
  agent reads 64 of them ten times a second; the kernel drops the others.
`,
};

export function probesRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 2 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const count = bench.quick ? 10 : LANS;
  const withProbes = lab.nodes.map((node) => new BenchAgent(node, PROBING));
  const without = lab.nodes.map((node) => new BenchAgent(node, SILENT));
  for (const [at, agent] of withProbes.entries()) {
    const node = lab.nodes[at]!;
    const lans = Array.from({ length: count }, (_, number) => numberedLan(node, number));
    await agent.putLans("lans.yaml", lans);
    await agent.start();
    const netns = await lab.addNetns(`pods${at}`);
    for (const [number, { metadata: { name, namespace }, spec }] of lans.entries()) {
      const lan = { lan: `${namespace}/${name}`, spoke: spec.spokes[at]! };
      await agent.ask(addRequest({ netns, ifname: `net${number}`, attach: "veth", ...lan }));
    }
  }
  const [first] = withProbes;
  bench.note("waiting until all nodes reach each other");
  await until("all are reached", async () => {
    const { lans } = await viewOf(first!);
    return lans.every(({ probe }) => probe?.reachable === 1);
  }, { timeout: 900_000, interval: 1_000 });
  const probing = await idle(bench, lab, first!);
  const flooded = await flood(bench, lab, first!);
  for (const agent of withProbes) await agent.stop();
  for (const agent of without) await agent.start();
  const silent = await idle(bench, lab, without[0]!);
  for (const agent of without) await agent.stop();
  const beside = (unit: Finding["unit"], figure: "percent" | "mb" | "sent" | "received") => ({
    ...{ unit, ours: probing[figure] },
    other: { name: "without probes", value: silent[figure] },
  });
  const what = `${count} LANs on two nodes, nothing happens:`;
  return [
    {
      what: `${what} agent`,
      ...beside("% of a core", "percent"),
      budget: { most: BUDGET_PERCENT },
    },
    { what: `${what} agent`, ...beside("MB", "mb") },
    { what: `${what} sent on the wire`, ...beside("frames/s", "sent") },
    { what: `${what} received`, ...beside("frames/s", "received") },
    {
      what: "A workload floods its LAN's bridge with forged hello frames: agent",
      ...{ unit: "% of a core", ours: flooded.percent },
      note: `${Math.round(flooded.rate / 1000)},000 frames/s`,
    },
  ];
}

async function viewOf(agent: BenchAgent): Promise<NodeView> {
  return await agent.ask({ op: "view" }) as NodeView;
}

async function packets(lab: Lab) {
  const [link] = JSON.parse(await lab.nodes[0]!.run(["ip", "-j", "-s", "link", "show", "eth1"]));
  return { sent: Number(link.stats64.tx.packets), received: Number(link.stats64.rx.packets) };
}

async function idle(bench: Bench, lab: Lab, agent: BenchAgent) {
  await pause(bench.quick ? 5_000 : SETTLE_MS);
  const ms = bench.quick ? 10_000 : IDLE_MS;
  const [before, cpu] = [await packets(lab), agent.cpuMs()];
  await pause(ms);
  const [after, used] = [await packets(lab), agent.cpuMs() - cpu];
  const rate = (figure: "sent" | "received") => (after[figure] - before[figure]) / (ms / 1000);
  return {
    ...{ percent: 100 * used / ms, mb: agent.rssMb() },
    ...{ sent: rate("sent"), received: rate("received") },
  };
}

/** Frames that only somebody can make who knows the LAN's UID. */
async function flood(bench: Bench, lab: Lab, agent: BenchAgent) {
  const { uid } = (await viewOf(agent)).lans[0]!;
  const frame = encodeHello(
    {
      ...{ node: "made-up", state: "running", mtu: 1426, seq: 1, intervalMs: 1_000, limitMs: 0 },
      ...{ peers: 0, echoes: [], tellsDirect: true },
    },
    lanKey(uid),
    { source: "02:00:00:00:00:77", destination: bridgeMac(uid) },
  );
  using wire = new FrameSocket(lab.netnsPath("pods0"), "net0");
  const [cpu, started] = [agent.cpuMs(), performance.now()];
  const until = started + (bench.quick ? 2_000 : FLOOD_MS);
  let sent = 0;
  while (performance.now() < until) {
    for (let burst = 0; burst < 200; burst++, sent++) wire.send(frame);
    await pause(0);
  }
  const ms = performance.now() - started;
  return { percent: 100 * (agent.cpuMs() - cpu) / ms, rate: sent / (ms / 1000) };
}
