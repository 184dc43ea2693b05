/** Row "attach": ADD and DEL at the agent's socket, from the request to the answer. */

import type { Lab } from "../../tests/support/netns_lab.ts";
import { addRequest, attachmentsOf, BenchAgent, delRequest, numberedLan } from "./bench_agent.ts";
import { type Bench, pause } from "./bench.ts";
import type { Finding, Other } from "./finding.ts";
import { LineProcess } from "./line_process.ts";
import { median, quantile } from "./stats.ts";

/** Between two requests: the kernel ends what a deletion left to it, the agent looks once more. */
const GAP_MS = 80;
const WARM_UPS = 5;
const BUDGET_MS = 10;

export function attachRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 1 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const node = lab.node("worker1");
  const agent = new BenchAgent(node);
  const lan = numberedLan(node, 1, 2);
  await agent.putLans("lan.yaml", [lan]);
  await agent.start();
  await using worker = new LineProcess(node.netns, bench.worker(node.dir));
  const [first, second] = attachmentsOf(lan, await lab.addNetns("pod1"));
  if (first === undefined || second === undefined) throw new Error("The LAN has two spokes");

  const steps = new Map<string, () => Promise<number>>([
    ["ADD, LAN not on the node yet", () => agent.time(addRequest(first))],
    ["ADD, LAN there", () => agent.time(addRequest(second))],
    ["DEL, not the last of the LAN", () => agent.time(delRequest(second))],
    ["DEL, the last one: the LAN goes too", () => agent.time(delRequest(first))],
    ["raw add", () => worker.ask({ do: "raw-add" })],
    ["raw del", () => worker.ask({ do: "raw-del" })],
  ]);
  const times = new Map([...steps.keys()].map((name) => [name, [] as number[]]));
  const repetitions = bench.quick ? 10 : 50;
  for (let turn = -WARM_UPS; turn < repetitions; turn++) {
    for (const [name, step] of steps) {
      const ms = await step();
      if (turn >= 0) times.get(name)!.push(ms);
      await pause(GAP_MS);
    }
  }
  const raw = (name: string, what: string): Other => ({
    ...{ name: what, value: median(times.get(name)!) },
    note: p99(times.get(name)!),
  });
  return [...times].flatMap(([what, samples]) => {
    if (what.startsWith("raw")) return [];
    const other = what.startsWith("ADD")
      ? raw("raw add", "kernel alone, one veth made")
      : raw("raw del", "kernel alone, one veth deleted");
    return [{
      ...{ what: `Agent: ${what}`, unit: "ms", ours: median(samples), note: p99(samples), other },
      budget: { most: BUDGET_MS },
    }];
  });
}

function p99(samples: readonly number[]): string {
  return `p99 ${quantile(samples, 0.99).toFixed(1)} ms`;
}
