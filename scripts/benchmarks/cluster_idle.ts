/** What the product and kubelet use while nothing happens. */

import { AgentFigures } from "./agent_figures.ts";
import { pause } from "./bench.ts";
import { type ClusterStage, SPOKES } from "./cluster_stage.ts";
import type { Finding } from "./finding.ts";
import { cpuMs, rssMb } from "./process_usage.ts";

const AGENT_BUDGET = { percent: 0.2, mb: 110 };
/** "As without us": what two windows without us differ by. */
const KUBELET_BUDGET = 1.1;

/** Of one process over a window. */
export interface Usage {
  /** Of a core. */
  readonly percent: number;
  readonly mb: number;
}

export interface NodeUsage {
  readonly agent: Usage;
  readonly kubelet: Usage;
  readonly controller: Usage;
  readonly isLeader: boolean;
  /** Lists of devices and registrations that kubelet was sent. */
  readonly messages: number;
}

/** Both nodes over the same `ms` milliseconds. */
export async function idle(stage: ClusterStage, ms: number): Promise<readonly NodeUsage[]> {
  const leader = (await stage.leader()).node;
  const meters = await Promise.all(stage.nodes.map(async (node) => ({
    agent: meter(await node.product.agentPid()),
    kubelet: meter(await stage.kubeletPid(node)),
    controller: meter(await stage.controllerPid(node)),
    isLeader: node === leader,
    sent: (await AgentFigures.read(node)).messages,
  })));
  const started = performance.now();
  for (const { agent, kubelet, controller } of meters) {
    for (const one of [agent, kubelet, controller]) one.start();
  }
  await pause(ms);
  const took = performance.now() - started;
  const usages = meters.map(({ agent, kubelet, controller }) => ({
    ...{ agent: agent.read(took), kubelet: kubelet.read(took), controller: controller.read(took) },
  }));
  return await Promise.all(stage.nodes.map(async (node, at) => ({
    ...usages[at]!,
    isLeader: meters[at]!.isLeader,
    messages: (await AgentFigures.read(node)).messages - meters[at]!.sent,
  })));
}

function meter(pid: number) {
  let before = 0;
  return {
    start: () => {
      before = cpuMs(pid);
    },
    read: (ms: number): Usage => ({ percent: (cpuMs(pid) - before) / ms * 100, mb: rssMb(pid) }),
  };
}

/** Of the first node nothing is attached, of the second all spokes of all LANs. */
export function idleFindings(
  count: number,
  ms: number,
  [bare1, bare2]: readonly NodeUsage[],
  [offering, attached]: readonly NodeUsage[],
): Finding[] {
  if (!bare1 || !bare2 || !offering || !attached) throw new Error("There are two nodes");
  const seconds = `${Math.round(ms / 1000)} s`;
  const lans = `${count} LANs × ${SPOKES} spokes`;
  const percent = (what: string, part: Part, after: NodeUsage, before: NodeUsage): Finding => ({
    ...{ what, unit: "% of a core", ours: after[part].percent },
    other: { name: "without LANs", value: before[part].percent },
  });
  const memory = (what: string, part: Part, after: NodeUsage, before: NodeUsage): Finding => ({
    ...{ what, unit: "MB", ours: after[part].mb },
    other: { name: "without LANs", value: before[part].mb },
  });
  const cpuBudget = { budget: { most: AGENT_BUDGET.percent } };
  const memoryBudget = { budget: { most: AGENT_BUDGET.mb } };
  const kubeletBudget = { budget: { mostOfOther: KUBELET_BUDGET } };
  const [ledBefore, ledAfter] = [leading([bare1, bare2]), leading([offering, attached])];
  const [restBefore, restAfter] = [waiting([bare1, bare2]), waiting([offering, attached])];
  const quiet = `nothing happens for ${seconds}`;
  return [
    { ...percent(`${lans} offered, ${quiet}: agent`, "agent", offering, bare1), ...cpuBudget },
    { ...memory("… its memory", "agent", offering, bare1), ...memoryBudget },
    {
      ...{ what: "… messages to kubelet", unit: "messages", ours: offering.messages },
      budget: { most: 0 },
    },
    { ...percent("… kubelet", "kubelet", offering, bare1), ...kubeletBudget },
    { ...percent(`${lans} attached, ${quiet}: agent`, "agent", attached, bare2), ...cpuBudget },
    { ...memory("… its memory", "agent", attached, bare2), ...memoryBudget },
    {
      ...{ what: "… messages to kubelet", unit: "messages", ours: attached.messages },
      budget: { most: 0 },
    },
    { ...percent("… kubelet", "kubelet", attached, bare2), ...kubeletBudget },
    percent(`${lans}, ${quiet}: controller that leads`, "controller", ledAfter, ledBefore),
    memory("… its memory", "controller", ledAfter, ledBefore),
    percent("… the other controller", "controller", restAfter, restBefore),
    memory("… its memory", "controller", restAfter, restBefore),
  ];
}

type Part = "agent" | "kubelet" | "controller";

function leading(usages: readonly NodeUsage[]): NodeUsage {
  return oneOf(usages, true);
}

function waiting(usages: readonly NodeUsage[]): NodeUsage {
  return oneOf(usages, false);
}

function oneOf(usages: readonly NodeUsage[], isLeader: boolean): NodeUsage {
  const found = usages.find((usage) => usage.isLeader === isLeader);
  if (found === undefined) throw new Error("Not one of two controllers leads");
  return found;
}
