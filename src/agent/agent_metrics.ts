/** The agent in figures: looked up when Prometheus asks, so that nothing has to be kept in step. */

import type { Condition } from "../api/agent_protocol.ts";
import { gaugeBy, type Metric, metric } from "../base/metrics_text.ts";
import { markId } from "../plan/mark.ts";
import { version } from "../version.ts";
import type { Attachments } from "./attachments.ts";
import type { LanRegistry } from "./lan_registry.ts";

export interface AgentMetricsSources {
  readonly registry: Pick<LanRegistry, "all">;
  readonly attachments: Pick<Attachments, "all">;
  /** What the last look at a LAN found, by its id. */
  readonly conditions: (lanId: string) => readonly Condition[];
  readonly problems: () => readonly Condition[];
}

export function agentMetrics(sources: AgentMetricsSources): Metric[] {
  const { registry, attachments, conditions, problems } = sources;
  const lans = { accepted: 0, rejected: 0 };
  const found = new Map<string, number>();
  for (const { lan, verdict } of registry.all()) {
    lans[verdict.accepted ? "accepted" : "rejected"]++;
    const reasons = conditions(markId(lan.metadata.uid)).map(({ reason }) => reason);
    for (const reason of new Set(reasons)) found.set(reason, (found.get(reason) ?? 0) + 1);
  }
  const attached = { macvtap: 0, veth: 0 };
  for (const { attach } of attachments.all()) attached[attach]++;
  return [
    gaugeBy("version", "k8slan_build_info", "1, with the version", [[version, 1]]),
    gaugeBy("state", "k8slan_agent_lans", "LANs that the agent knows", Object.entries(lans)),
    gaugeBy(
      "attach",
      "k8slan_agent_attachments",
      "Workloads attached on this node",
      Object.entries(attached),
    ),
    gaugeBy(
      "reason",
      "k8slan_agent_lan_conditions",
      "LANs in use here that something is wrong with, by what it is",
      found,
    ),
    metric(
      "gauge",
      "k8slan_agent_problems",
      "What is wrong with no LAN in particular",
      problems().length,
    ),
    metric("gauge", "process_resident_memory_bytes", "Resident memory", Deno.memoryUsage().rss),
    metric(
      "gauge",
      "process_start_time_seconds",
      "Start, in seconds since 1970",
      performance.timeOrigin / 1000,
    ),
  ];
}
