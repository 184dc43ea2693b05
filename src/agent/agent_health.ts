/** What the agent tells kubelet's probes and Prometheus. */

import type { CountedHandler } from "./counted_handler.ts";
import { agentMetrics } from "./agent_metrics.ts";
import { HealthServer } from "./health_server.ts";
import type { AgentParts, Membership } from "./membership.ts";

/** Serves on `port` of the loopback, 0 for nowhere, until `signal` fires. Never throws. */
export async function serveHealth(
  port: number,
  parts: AgentParts,
  membership: Membership,
  handler: CountedHandler,
  signal: AbortSignal,
): Promise<void> {
  if (port === 0) return;
  const { kernel, log } = parts;
  const server = new HealthServer({
    // One question to the kernel, with an answer that every namespace has.
    selfTest: () => {
      if (kernel.underlay("lo") === undefined) throw new Error("the kernel tells of no loopback");
    },
    checks: membership.checks,
    metrics: () => [
      ...agentMetrics(parts),
      ...handler.metrics(),
      ...parts.probes.metrics(),
      ...membership.metrics(),
    ],
    ...{ port, log },
  });
  await server.run(signal);
}
