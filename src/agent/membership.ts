/** What an agent is part of: nothing but its host, or a cluster. */

import type { Condition } from "../api/agent_protocol.ts";
import type { Log } from "../base/log.ts";
import type { Metric } from "../base/metrics_text.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Lan } from "../api/lan.ts";
import type { NodeFacts } from "../plan/lan_plan.ts";
import type { Peers } from "../plan/vtep.ts";
import type { AttachGate } from "./attach_gate.ts";
import type { PodIdentity } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";
import type { DriftWatch } from "./drift_watch.ts";
import type { LanRegistry } from "./lan_registry.ts";
import type { LanSource } from "./lan_source.ts";
import type { PeersFile } from "./peers_file.ts";
import type { Probes } from "./probes.ts";
import type { TapIndexes } from "./tap_indexes.ts";

/** The parts of an agent that others look at. */
export interface AgentParts {
  readonly node: NodeFacts;
  readonly stateDir: string;
  readonly kernel: Kernel;
  readonly registry: LanRegistry;
  readonly attachments: Attachments;
  readonly taps: TapIndexes;
  readonly drift: DriftWatch;
  /** What the last look at a LAN found, by its id. */
  readonly conditions: (lanId: string) => readonly Condition[];
  /** What is wrong with no LAN in particular. */
  readonly problems: () => readonly Condition[];
  /** Looks at a LAN again, by its id. */
  readonly look: (lanId: string) => void;
  readonly probes: Probes;
  readonly log: Log;
}

export interface Membership extends Disposable {
  readonly lans: LanSource;
  readonly gate?: AttachGate;
  /** The other nodes of a LAN with a unicast underlay. */
  peers(lan: Lan): Peers;
  /** What is wrong with no LAN in particular, besides what `lans` says. */
  problems(): readonly Condition[];
  /** What new pods would miss, by name: why it is not there yet, undefined if it is. */
  readonly checks: Readonly<Record<string, () => string | undefined>>;
  metrics(): readonly Metric[];
  /** The registry has taken in what `lans` says now. */
  lansChanged(): void;
  /** Attachments, conditions or problems have become others. */
  changed(): void;
  /** A pod asked for an attachment and did not get it. */
  attachFailed(pod: PodIdentity): void;
  /** The other nodes that the LAN is in use on; undefined when nobody knows. */
  expectedNodes(lanUid: string): ReadonlySet<string> | undefined;
  /** Looks at what `DriftWatch` suspects; false for the id of a LAN. */
  suspect(id: string): boolean;
  /** Looks at everything, without occasion; called every few seconds. */
  lookAgain(): void;
  /** Does what it has to do with others until `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

/** On a host of its own, with `peers` for LANs with a unicast underlay. */
export function standalone(
  lans: LanSource,
  { attachments, look }: Pick<AgentParts, "attachments" | "look">,
  peers?: PeersFile,
): Membership {
  const lookAtAll = () => attachments.lanIds().forEach(look);
  return {
    lans,
    peers: () => peers?.peers ?? "unnamed",
    problems: () => peers?.problems ?? [],
    checks: {},
    metrics: () => [],
    lansChanged: () => {},
    changed: () => {},
    attachFailed: () => {},
    expectedNodes: () => undefined,
    suspect: () => false,
    lookAgain: () => {},
    run: (signal) => peers?.watch(lookAtAll, signal) ?? Promise.resolve(),
    [Symbol.dispose]: () => {},
  };
}
