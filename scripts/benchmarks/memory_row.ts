/** Row "memory": what the agent has in use while it does nothing. */

import type { Lab } from "../../tests/support/netns_lab.ts";
import { addRequest, attachmentsOf, BenchAgent, numberedLan } from "./bench_agent.ts";
import { type Bench, pause } from "./bench.ts";
import type { Finding } from "./finding.ts";

const STARTS = 5;
const SETTLE_MS = 1_000;
const BUDGET_MB = 64;

export function memoryRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 1 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const node = lab.node("worker1");
  const agent = new BenchAgent(node);
  const empty: number[] = [];
  for (let at = 0; at < (bench.quick ? 1 : STARTS); at++) {
    await agent.start();
    await pause(SETTLE_MS);
    empty.push(agent.rssMb());
    await agent.stop();
  }
  const lan = numberedLan(node, 1);
  await agent.putLans("lan.yaml", [lan]);
  await agent.start();
  for (const attachment of attachmentsOf(lan, await lab.addNetns("pod1"))) {
    await agent.ask(addRequest(attachment));
  }
  await pause(SETTLE_MS);
  return [
    memory("Agent, idle, no LAN", Math.max(...empty)),
    memory("Agent, idle, one LAN with 4 spokes attached", agent.rssMb()),
  ];
}

function memory(what: string, ours: number): Finding {
  return { what, unit: "MB", ours, budget: { most: BUDGET_MB } };
}
