import assert from "node:assert/strict";
import { AgentParts } from "../../tests/support/agent_parts.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { metricsText } from "../base/metrics_text.ts";
import { version } from "../version.ts";
import { agentMetrics } from "./agent_metrics.ts";

Deno.test("agentMetrics() counts LANs, attachments and conditions", async () => {
  const clash = seedLan({ ns: "other" }, "0d5b2a1c-7f0e-4c58-9f6a-ffffffffffff");
  using parts = new AgentParts([seedLan(), clash]);
  await parts.addBoth();
  const conditions = [{ reason: "Broken", message: "a" }, { reason: "Broken", message: "b" }];
  const text = metricsText(agentMetrics({
    ...{ registry: parts.registry, attachments: parts.attachments },
    conditions: (lanId) => lanId === seedLan().metadata.uid ? conditions : [],
    problems: () => conditions,
  }));
  const lines = text.split("\n");
  for (
    const line of [
      `k8slan_build_info{version="${version}"} 1`,
      'k8slan_agent_lans{state="accepted"} 1',
      'k8slan_agent_lans{state="rejected"} 1',
      'k8slan_agent_attachments{attach="macvtap"} 2',
      'k8slan_agent_attachments{attach="veth"} 0',
      'k8slan_agent_lan_conditions{reason="Broken"} 1',
      "k8slan_agent_problems 2",
    ]
  ) assert.ok(lines.includes(line), line);
});
