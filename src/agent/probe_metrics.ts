/** Probes in figures: one sample a LAN at most, however many nodes there are. */

import type { ProbeView } from "../api/agent_protocol.ts";
import { gaugeBy, type Metric } from "../base/metrics_text.ts";

/** `lans` by name. */
export function probeMetrics(
  frames: Readonly<Record<"sent" | "received" | "ignored", number>>,
  lans: Iterable<readonly [string, ProbeView]>,
): Metric[] {
  const all = [...lans];
  const some = (value: (view: ProbeView) => number | undefined) =>
    all.flatMap(([lan, view]) => {
      const found = value(view);
      return found === undefined ? [] : [[lan, found] as const];
    });
  const by = (name: string, help: string, value: (view: ProbeView) => number | undefined) =>
    gaugeBy("lan", `k8slan_agent_probe_${name}`, help, some(value));
  return [
    {
      ...gaugeBy(
        "what",
        "k8slan_agent_probe_frames_total",
        "Hello frames sent and received, and those received that were none of the LAN's",
        Object.entries(frames),
      ),
      type: "counter",
    },
    by("peers", "Other nodes that the LAN is in use on", ({ peers }) => peers),
    by("reachable", "Those that frames of full size reach and come from", (v) => v.reachable),
    by(
      "round_trip_seconds",
      "Round trip to the slowest of them",
      ({ roundTripMs }) => roundTripMs === undefined ? undefined : roundTripMs / 1_000,
    ),
    by(
      "loss_ratio",
      "Share of frames lost to and from the worst of them",
      ({ nodes }) =>
        nodes.length === 0 ? undefined : Math.max(...nodes.map((n) => n.lossPercent)) / 100,
    ),
    by("mtu_bytes", "Largest frame that gets through, as MTU", ({ mtu }) => mtu),
  ];
}
