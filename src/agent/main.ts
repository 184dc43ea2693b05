/** The node agent: wires its parts, starts them in order and stops them in reverse. */

import { createLog, type Log, type LogLevel } from "../base/log.ts";
import { describe } from "../base/errors.ts";
import { KeyedMutex } from "../base/keyed_mutex.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { ClusterOptions } from "../cluster/main.ts";
import { AGENT_SOCKET_NAME, DELETE_QUEUE_DIR_NAME, NETNS_DIR_NAME } from "../api/names.ts";
import { LinuxKernel } from "../kernel/linux.ts";
import type { OpenTransport } from "../kernel/places.ts";
import type { TapOwner } from "../plan/wanted.ts";
import { trimMemory } from "../sys/memory.ts";
import { requireSharedMounts } from "../sys/mount_propagation.ts";
import { watchKernelEvents } from "../sys/netlink_events.ts";
import { version } from "../version.ts";
import { lockAgent } from "./agent_lock.ts";
import { serveHealth } from "./agent_health.ts";
import { AgentHandler } from "./agent_handler.ts";
import { AttachService } from "./attach_service.ts";
import { AttachmentRecords } from "./attachment_records.ts";
import { Attachments } from "./attachments.ts";
import { CountedHandler } from "./counted_handler.ts";
import { DeleteReplay } from "./delete_replay.ts";
import { DriftWatch } from "./drift_watch.ts";
import { ForeignVxlans } from "./foreign_vxlans.ts";
import { LanBuilder } from "./lan_builder.ts";
import { LanRegistry } from "./lan_registry.ts";
import type { LanSource, LansReading } from "./lan_source.ts";
import { LansFolder } from "./lans_folder.ts";
import { type AgentParts, type Membership, standalone } from "./membership.ts";
import { PeersFile } from "./peers_file.ts";
import { Prober } from "./prober.ts";
import { noProbes } from "./probes.ts";
import { Reconciler } from "./reconciler.ts";
import { ReconcileQueue } from "./reconcile_queue.ts";
import { recover } from "./recovery.ts";
import { isDue, isTidyTick, RESYNC_TICK_MS } from "./resync.ts";
import { SocketServer } from "./socket_server.ts";
import { prepareStateDir } from "./state_dir.ts";
import { TapIndexes } from "./tap_indexes.ts";

export type AgentOptions =
  | CommonOptions & {
    readonly standalone: true;
    /** Folder of LAN files. */
    readonly lansDir: string;
    /** File of the other nodes' addresses, for LANs with a unicast underlay. */
    readonly peersFile?: string;
  }
  | CommonOptions & { readonly standalone: false; readonly cluster: ClusterOptions };

interface CommonOptions {
  readonly node: string;
  /** Of the loopback, for probes; absent or 0 for none. */
  readonly healthPort?: number;
  readonly runDir: string;
  readonly stateDir: string;
  readonly tapOwner: TapOwner;
  readonly logLevel: LogLevel;
  /** Between two hello frames to the other nodes of a LAN; 0: none at all. Seconds. */
  readonly probeInterval: number;
}

/** For tests: where the agent's effects go. */
export interface AgentSeams {
  readonly log?: Log;
  readonly transport?: OpenTransport;
}

/** How they are named among LANs: none has an id with a space. */
const FOREIGN_VXLANS = "foreign VXLANs";

/** Runs until `signal` fires. What is attached stays as it is. */
export async function agentMain(
  options: AgentOptions,
  signal: AbortSignal,
  seams: AgentSeams = {},
): Promise<void> {
  const { node, runDir, stateDir, tapOwner } = options;
  const log = seams.log ?? createLog({ level: options.logLevel, fields: { node } });
  const netnsDir = `${runDir}/${NETNS_DIR_NAME}`;
  const recordsDir = `${stateDir}/attachments`;
  for (const path of [runDir, netnsDir]) Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  requireSharedMounts(netnsDir);
  using _lock = lockAgent(runDir, log);
  for (const path of [stateDir, recordsDir]) prepareStateDir(path, log);
  using kernel = new LinuxKernel(netnsDir, seams.transport);
  // Subscribed before the first look, so that nothing falls between.
  const events = watchKernelEvents(signal);

  const registry = new LanRegistry();
  const records = new AttachmentRecords(recordsDir, log);
  const attachments = new Attachments(records);
  const taps = new TapIndexes(`${stateDir}/taps.json`, node, log);
  const facts = { name: node, netnsDir };
  const builder = new LanBuilder(kernel, facts, log, (lan) => membership.peers(lan));
  const mutex = new KeyedMutex();
  const drift = new DriftWatch((id) => {
    if (id === FOREIGN_VXLANS) foreign.lookAgain();
    else if (!membership.suspect(id)) queue.add(id);
  }, log);
  const foreign = new ForeignVxlans({
    ...{ node, kernel, log },
    changed: () => membership.changed(),
  });
  drift.track(FOREIGN_VXLANS, {
    netnsId: undefined,
    underlay: undefined,
    spokes: [],
    vxlans: true,
  });
  let lanProblems: readonly Condition[] = [];
  const problems = () => [...lanProblems, ...membership.problems(), ...probes.problems()];
  const baseMs = 1_000 * options.probeInterval;
  const probes = baseMs === 0 ? noProbes((id) => attachments.ofLan(id).length > 0) : new Prober({
    ...{ node, baseMs, attachments, registry, log },
    expected: (lanUid) => membership.expectedNodes(lanUid),
    told: () => membership.changed(),
  });
  builder.leaving = (lanId) => probes.leaving(lanId);
  const parts: AgentParts = {
    ...{ node: facts, stateDir, kernel, registry, attachments, taps, drift, problems, probes, log },
    conditions: (lanId) => reconciler.conditions(lanId),
    look: (lanId) => queue.add(lanId),
  };
  using membership = await join(options, parts);
  const { lans, gate } = membership;
  const queue = new ReconcileQueue((lanId) => reconciler.reconcile(lanId), log);
  const service = new AttachService({
    ...{ node, tapOwner, kernel, builder, registry, attachments, taps, mutex, log },
    ...(gate === undefined ? {} : { gate }),
    changed: (lanId) => {
      queue.add(lanId);
      membership.changed();
      probes.changed();
    },
    failed: (pod) => membership.attachFailed(pod),
  });
  const reconciler = new Reconciler({
    ...{ node, kernel, builder, registry, attachments, records, taps, service, mutex, drift, log },
    foreign,
    noted: () => membership.changed(),
  });

  const readLans = () => {
    const reading = readSource(lans);
    lanProblems = reportProblems(log, lanProblems, reading.problems);
    if (reading.lans !== undefined) {
      for (const lanId of registry.replace(reading.lans)) queue.add(lanId);
      membership.lansChanged();
      probes.changed();
    }
    membership.changed();
  };
  await recover({ kernel, builder, attachments, records, taps, log });
  // Not before: a LAN that is looked at loses every port that nothing is known of.
  readLans();
  const replay = new DeleteReplay(`${runDir}/${DELETE_QUEUE_DIR_NAME}`, service, log);
  await replay.run();

  const handler = new CountedHandler(
    new AgentHandler({
      ...{ node, kernel, builder, registry, attachments, service, reconciler, probes, log },
      problems,
    }),
  );
  const server = new SocketServer(`${runDir}/${AGENT_SOCKET_NAME}`, handler, log);
  // Those that nothing is attached to as well: something may be left of them.
  const lanIds = () => new Set([...attachments.lanIds(), ...registry.ids()]);
  let tick = 0;
  const resync = () => {
    tick++;
    for (const lanId of lanIds()) if (isDue(lanId, tick)) queue.add(lanId);
    foreign.lookAgain();
    membership.lookAgain();
    if (isTidyTick(tick)) trimMemory();
  };
  const timer = setInterval(resync, RESYNC_TICK_MS);
  for (const lanId of lanIds()) queue.add(lanId);
  // The first start after an installation parses the whole program, which takes 25 MB that it keeps.
  trimMemory();
  log.info("Agent is ready", { version, runDir, lans: [...registry.all()].length });
  try {
    await Promise.all([
      server.serve(signal),
      replay.repeat(signal),
      drift.run(events),
      lans.watch(readLans, signal),
      membership.run(signal),
      probes.run(signal),
      serveHealth(options.healthPort ?? 0, parts, membership, handler, signal),
    ]);
  } finally {
    clearInterval(timer);
    await queue.close();
    await kernel.settled();
    log.info("Agent has stopped; what is attached stays attached");
  }
}

async function join(options: AgentOptions, parts: AgentParts): Promise<Membership> {
  if (options.standalone) {
    const { stateDir, log } = parts;
    const { lansDir, peersFile } = options;
    const peers = peersFile === undefined ? undefined : new PeersFile(peersFile, log);
    return standalone(new LansFolder(lansDir, `${stateDir}/first-seen.json`, log), parts, peers);
  }
  // Loaded here alone: a host without Kubernetes pays nothing for it.
  const { joinCluster } = await import("../cluster/main.ts");
  return await joinCluster(options.cluster, parts);
}

/** Without `lans` where the source cannot tell of any. */
function readSource(source: LanSource): Partial<LansReading> & Pick<LansReading, "problems"> {
  try {
    return source.read();
  } catch (error) {
    return { problems: [{ reason: "UnreadableFolder", message: describe(error) }] };
  }
}

/** Logs problems that are new; returns all of them. */
function reportProblems(
  log: Log,
  before: readonly Condition[],
  now: readonly Condition[],
): readonly Condition[] {
  const known = new Set(before.map(({ message }) => message));
  for (const problem of now) if (!known.has(problem.message)) log.warn("Problem", { ...problem });
  return now;
}
