/** Row "scale": many LANs on one node, where whatever grows with their number shows. */

import type { Lab } from "../../tests/support/netns_lab.ts";
import { until } from "../../tests/support/until.ts";
import {
  addRequest,
  attachmentsOf,
  BenchAgent,
  type BenchAttachment,
  delRequest,
  numberedLan,
} from "./bench_agent.ts";
import { type Bench, pause } from "./bench.ts";
import type { Finding } from "./finding.ts";
import { LineProcess } from "./line_process.ts";
import { median } from "./stats.ts";

/** As many as the budgets are for, and ten times that. */
const FEW = 100;
const MANY = 1000;
const HUNDRED = 100;
/** Files of this many LANs each. */
const LANS_PER_FILE = 10;
const IDLE_MS = { few: 30_000, many: 60_000 };
/**
 * Bridges report their ports once more 15 s after they were made; V8 tidies up for half a minute after
 * work, and so does the agent half a minute after its start.
 */
const SETTLE_MS = 40_000;
const IDLE_BUDGET_PERCENT = 0.2;
const MEMORY_BUDGET_MB = 110;

export function scaleRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 1 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const node = lab.node("worker1");
  const agent = new BenchAgent(node);
  const [few, many] = bench.quick ? [10, 20] : [FEW, MANY];
  const lans = Array.from({ length: many }, (_, at) => numberedLan(node, at));
  for (let at = 0; at < many; at += LANS_PER_FILE) {
    await agent.putLans(`lans-${at}.yaml`, lans.slice(at, at + LANS_PER_FILE));
  }
  const paths = lans.map((_, at) => lab.netnsPath(`pod${at}`));
  {
    await using worker = new LineProcess(node.netns, bench.worker(node.dir));
    await worker.ask({ do: "workloads", paths });
  }
  const attachments = lans.map((lan, at) => attachmentsOf(lan, paths[at]!));
  await agent.start();

  const attachMs: number[] = [];
  const attach = async (some: readonly BenchAttachment[][]) => {
    for (const attachment of some.flat()) attachMs.push(await agent.time(addRequest(attachment)));
  };
  await attach(attachments.slice(0, few));
  const atFew = await idle(agent, few, IDLE_MS.few);
  await attach(attachments.slice(few));
  const atMany = await idle(agent, many, IDLE_MS.many);
  const reread = await rereadCost(agent, numberedLan(node, many));

  await agent.stop();
  const restartMs = await agent.start();

  const detachMs: number[] = [];
  for (const attachment of attachments.flat()) {
    detachMs.push(await agent.time(delRequest(attachment)));
  }
  const total = (samples: readonly number[]) => samples.reduce((sum, ms) => sum + ms, 0) / 1000;
  const tail = (samples: readonly number[]) => median(samples.slice(-HUNDRED));
  const head = (samples: readonly number[]) => median(samples.slice(0, HUNDRED));
  return [
    { what: `${many} LANs × 4 spokes: attached`, unit: "s", ours: total(attachMs) },
    {
      what: `${many} LANs: ADD, last hundred`,
      ...{ unit: "ms", ours: tail(attachMs) },
      other: { name: "first hundred", value: head(attachMs) },
    },
    ...atFew,
    ...atMany,
    { what: `${many} LANs: agent's time to read one more file`, unit: "ms", ours: reread },
    { what: `${many} LANs: agent restarted until it answers`, unit: "s", ours: restartMs / 1000 },
    { what: `${many} LANs × 4 spokes: detached`, unit: "s", ours: total(detachMs) },
    {
      what: `${many} LANs: DEL, last hundred`,
      ...{ unit: "ms", ours: tail(detachMs) },
      other: { name: "first hundred", value: head(detachMs) },
    },
  ];
}

/** What the agent costs while nothing happens. Its looks without occasion are part of that. */
async function idle(agent: BenchAgent, lans: number, ms: number): Promise<Finding[]> {
  await pause(SETTLE_MS);
  const before = agent.cpuMs();
  await pause(ms);
  const percent = (agent.cpuMs() - before) / ms * 100;
  const what = `${lans} LANs × 4 spokes, nothing happens for ${ms / 1000} s: agent`;
  return [
    { what, unit: "% of a core", ours: percent, budget: { most: IDLE_BUDGET_PERCENT } },
    { what, unit: "MB", ours: agent.rssMb(), budget: { most: MEMORY_BUDGET_MB } },
  ];
}

/** Processor time from the moment a file appears until its LAN can be attached to. */
async function rereadCost(agent: BenchAgent, lan: ReturnType<typeof numberedLan>): Promise<number> {
  const [attachment] = attachmentsOf(lan, "/proc/self/ns/net");
  if (attachment === undefined) throw new Error("The LAN has no spoke");
  const before = agent.cpuMs();
  await agent.putLans("one-more.yaml", [lan]);
  // An attachment to no real namespace is refused for the LAN first, once that is known for itself.
  await until("the new LAN is known", async () => {
    const refusal = await agent.ask(addRequest({ ...attachment, netns: "/nowhere" })).catch(String);
    return !`${refusal}`.includes("There is no LAN");
  }, { timeout: 60_000 });
  return agent.cpuMs() - before;
}
