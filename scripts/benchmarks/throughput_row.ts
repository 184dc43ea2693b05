/** Row "throughput": TCP between workloads on two nodes, through a LAN and through the same by hand. */

import type { Lab } from "../../tests/support/netns_lab.ts";
import { until } from "../../tests/support/until.ts";
import { addRequest, BenchAgent, numberedLan } from "./bench_agent.ts";
import type { Bench } from "./bench.ts";
import type { Finding } from "./finding.ts";
import { median } from "./stats.ts";

export type Kind = "macvtap" | "veth";

const KINDS: readonly Kind[] = ["macvtap", "veth"];
const SECONDS = 2;
const IFNAME = "net1";
/** What the LAN takes of an underlay of 1500 bytes. */
const MTU = 1426;
const BUDGET = 0.98;

/** Two workloads, one on each node, that reach each other. */
export interface Path {
  readonly client: string;
  readonly server: string;
  readonly address: string;
}

export function throughputRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 2 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const agents = await startAgents(lab);
  for (const [at, kind] of KINDS.entries()) {
    const paths = [
      await throughLan(lab, agents, at + 1, kind),
      await byHand(lab, at + 1, kind),
    ];
    const samples: number[][] = paths.map(() => []);
    for (const path of paths) await preparePath(lab, path);
    for (let turn = 0; turn < (bench.quick ? 1 : 5); turn++) {
      for (const [which, path] of paths.entries()) samples[which]!.push(await gigabits(lab, path));
    }
    const [ours = 0, other = 0] = samples.map(median);
    findings.push({
      what: `TCP across two nodes through a LAN, ${kind}`,
      ...{ unit: "Gbit/s", ours, other: { name: "built by hand with `ip`", value: other } },
      budget: { leastOfOther: BUDGET },
    });
  }
  return findings;
}

async function startAgents(lab: Lab): Promise<readonly BenchAgent[]> {
  return await Promise.all(lab.nodes.map(async (node) => {
    const agent = new BenchAgent(node);
    await agent.putLans("lans.yaml", KINDS.map((_, at) => numberedLan(node, at + 1, 2)));
    await agent.start();
    return agent;
  }));
}

async function throughLan(
  lab: Lab,
  agents: readonly BenchAgent[],
  number: number,
  attach: Kind,
): Promise<Path> {
  const ends: string[] = [];
  for (const [at, node] of lab.nodes.entries()) {
    const { metadata, spec } = numberedLan(node, number, 2);
    const netns = await lab.addNetns(`${attach}-lan-${at}`);
    const lan = `${metadata.namespace}/${metadata.name}`;
    const spoke = spec.spokes[at] ?? "";
    await agents[at]!.ask(addRequest({ netns, ifname: IFNAME, lan, spoke, attach }));
    ends.push(netns);
  }
  return pathOf(ends, `10.99.${number}`);
}

/** What a person would type for the same path, with the kernel's defaults. */
async function byHand(lab: Lab, number: number, kind: Kind): Promise<Path> {
  const ends: string[] = [];
  for (const [at, node] of lab.nodes.entries()) {
    const netns = await lab.addNetns(`${kind}-hand-${at}`);
    const lan = await lab.addNetns(`${kind}-hand-lan-${at}`);
    const host = `h${kind}`;
    const script = [
      `ip link add vx0 mtu ${MTU} netns ${lan} type vxlan id ${20_000 + number} group ff02::15` +
      ` dev eth1 dstport 4789`,
      ...(kind === "macvtap"
        ? [
          `ip link add ${host} mtu ${MTU} type veth peer name port mtu ${MTU} netns ${lan}`,
          `ip link set ${host} up`,
          `ip link add link ${host} name ${IFNAME} netns ${netns} type macvtap mode passthru`,
        ]
        : [
          `ip link add ${IFNAME} mtu ${MTU} netns ${netns} type veth peer name port mtu ${MTU}` +
          ` netns ${lan}`,
        ]),
      `nsenter --net=${lan} ip link add br0 type bridge`,
      ...["vx0", "port"].map((port) => `nsenter --net=${lan} ip link set ${port} master br0 up`),
      `nsenter --net=${lan} ip link set br0 up`,
      `nsenter --net=${netns} ip link set ${IFNAME} up`,
    ];
    await node.run(["sh", "-ec", script.join("\n")]);
    ends.push(netns);
  }
  return pathOf(ends, `10.98.${number}`);
}

export function pathOf(ends: readonly string[], network: string): Path {
  const [client = "", server = ""] = ends;
  return { client, server, address: `${network}.2` };
}

/** Gives both ends addresses, waits until they reach each other and starts the server. */
export async function preparePath(lab: Lab, { client, server, address }: Path): Promise<void> {
  const clientAddress = address.replace(/2$/, "1");
  await lab.run(client, ["ip", "addr", "add", `${clientAddress}/24`, "dev", IFNAME]);
  await lab.run(server, ["ip", "addr", "add", `${address}/24`, "dev", IFNAME]);
  await until(`${address} answers`, async () => {
    await lab.run(client, ["ping", "-c1", "-W1", address]);
    return true;
  }, { timeout: 20_000 });
  await lab.spawn(server, ["iperf3", "--server", "--forceflush"]).waitFor(/listening/);
}

export async function gigabits(
  lab: Lab,
  { client, address }: Path,
  seconds = SECONDS,
): Promise<number> {
  const output = await lab.run(client, ["iperf3", "-J", "-t", `${seconds}`, "-c", address]);
  return JSON.parse(output).end.sum_received.bits_per_second / 1e9;
}
