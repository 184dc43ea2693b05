import assert from "node:assert/strict";
import { metricsText } from "../base/metrics_text.ts";
import { clusterMetrics } from "./cluster_metrics.ts";

Deno.test("clusterMetrics() tells of API server, kubelet, devices, report and plugin", () => {
  const text = metricsText(clusterMetrics({
    devices: {
      state: () => ({
        kubelet: { present: true },
        resources: new Map([["a", { registered: true }], ["b", { registered: false }]]),
      }),
      counters: { lists: 3, allocations: 2, registrations: 4 },
    },
    reporter: { state: { writes: 5, problem: "away" } },
    installer: { isInstalled: true },
    isServerThere: false,
  }));
  assert.deepEqual(text.split("\n").filter((line) => line !== "" && !line.startsWith("#")), [
    "k8slan_agent_api_server_up 0",
    "k8slan_agent_kubelet_up 1",
    'k8slan_agent_devices{state="registered"} 1',
    'k8slan_agent_devices{state="unregistered"} 1',
    "k8slan_agent_device_registrations_total 4",
    "k8slan_agent_device_lists_total 3",
    "k8slan_agent_device_allocations_total 2",
    "k8slan_agent_report_writes_total 5",
    "k8slan_agent_report_failing 1",
    "k8slan_agent_plugin_installed 1",
  ]);
});
