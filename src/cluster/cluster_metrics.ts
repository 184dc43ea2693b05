/** What ties the agent to its cluster, in figures. */

import { gaugeBy, type Metric, metric } from "../base/metrics_text.ts";
import type { DevicePluginManager } from "../deviceplugin/device_plugin_manager.ts";
import type { CniInstaller } from "./cni_installer.ts";
import type { NodeReporter } from "./node_reporter.ts";

export interface ClusterMetricsSources {
  readonly devices: Pick<DevicePluginManager, "state" | "counters">;
  readonly reporter: Pick<NodeReporter, "state">;
  /** None: this program runs from its sources and can't be installed. */
  readonly installer: Pick<CniInstaller, "isInstalled"> | undefined;
  /** Whether the API server answered last. */
  readonly isServerThere: boolean;
}

export function clusterMetrics(sources: ClusterMetricsSources): Metric[] {
  const { devices, reporter, installer, isServerThere } = sources;
  const { kubelet, resources } = devices.state();
  const { lists, allocations, registrations } = devices.counters;
  const registered = resources.values().filter((state) => state.registered).toArray().length;
  return [
    metric(
      "gauge",
      "k8slan_agent_api_server_up",
      "1 while the API server can be followed",
      isServerThere,
    ),
    metric(
      "gauge",
      "k8slan_agent_kubelet_up",
      "1 while kubelet's socket is there",
      kubelet.present,
    ),
    gaugeBy("state", "k8slan_agent_devices", "Devices offered to kubelet", [
      ["registered", registered],
      ["unregistered", resources.size - registered],
    ]),
    metric(
      "counter",
      "k8slan_agent_device_registrations_total",
      "Registrations that kubelet took",
      registrations,
    ),
    metric(
      "counter",
      "k8slan_agent_device_lists_total",
      "Lists of devices sent to kubelet",
      lists,
    ),
    metric(
      "counter",
      "k8slan_agent_device_allocations_total",
      "Devices that kubelet asked for",
      allocations,
    ),
    metric(
      "counter",
      "k8slan_agent_report_writes_total",
      "Times that the LANNode object was written",
      reporter.state.writes,
    ),
    metric(
      "gauge",
      "k8slan_agent_report_failing",
      "1 while the LANNode object can't be written",
      reporter.state.problem !== undefined,
    ),
    ...(installer === undefined ? [] : [
      metric(
        "gauge",
        "k8slan_agent_plugin_installed",
        "1 while the CNI plugin is in its place",
        installer.isInstalled,
      ),
    ]),
  ];
}
