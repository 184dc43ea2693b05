/** What the rest of the agent asks of its probes. */

import type { Condition, ProbeView } from "../api/agent_protocol.ts";
import type { ProbeOnNode } from "../api/lan_node.ts";
import type { Metric } from "../base/metrics_text.ts";

export interface Probes {
  /** What there is to tell of the LAN, by its id; undefined when it does not exist here. */
  report(lanId: string): ProbeOnNode | undefined;
  /** The same at length, at this moment. */
  view(lanId: string): ProbeView | undefined;
  metrics(): readonly Metric[];
  problems(): readonly Condition[];
  /** LANs, attachments, or what is expected of other nodes may have become others. */
  changed(): void;
  /** The LAN is about to be taken off this node. */
  leaving(lanId: string): void;
  /** Until `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

/** Switched off. `isInUse`: whether something is attached to the LAN here. */
export function noProbes(isInUse: (lanId: string) => boolean): Probes {
  const off = { state: "Off", peers: 0, reachable: 0 } as const;
  return {
    report: (lanId) => isInUse(lanId) ? off : undefined,
    view: (lanId) => isInUse(lanId) ? { ...off, nodes: [] } : undefined,
    metrics: () => [],
    problems: () => [],
    changed: () => {},
    leaving: () => {},
    run: () => Promise.resolve(),
  };
}
