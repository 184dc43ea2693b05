/** Row "memory": what the agent has in use while it does nothing. */

import type { Lab } from "../../tests/support/netns_lab.ts";
import { addRequest, attachmentsOf, BenchAgent, numberedLan } from "./bench_agent.ts";
import { type Bench, pause } from "./bench.ts";
import type { Finding } from "./finding.ts";

/** V8 tidies up after some half a minute without work. */
const IDLE_MS = 45_000;
const BUDGET_MB = 64;

export function memoryRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 2 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const [empty, busy] = [lab.node("worker1"), lab.node("worker2")];
  const [first, second] = [new BenchAgent(empty), new BenchAgent(busy)];
  // The very first start after an installation parses the program, and keeps some of what that took.
  await first.start();
  await first.stop();
  await first.start();
  const lan = numberedLan(busy, 1);
  await second.putLans("lan.yaml", [lan]);
  await second.start();
  for (const attachment of attachmentsOf(lan, await lab.addNetns("pod1"))) {
    await second.ask(addRequest(attachment));
  }
  await pause(bench.quick ? 1_000 : IDLE_MS);
  return [
    {
      ...{ what: "Agent, idle, no LAN", unit: "MB", ours: first.rssMb() },
      budget: { most: BUDGET_MB },
    },
    { what: "Agent, idle, one LAN with 4 spokes attached", unit: "MB", ours: second.rssMb() },
  ];
}
