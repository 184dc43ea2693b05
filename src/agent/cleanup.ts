/** Takes everything of ours off this node: namespaces, links, files. Nothing without our mark. */

import { NETNS_DIR_NAME } from "../api/names.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { LinuxKernel } from "../kernel/linux.ts";
import { removal } from "../plan/diff.ts";
import { type Mark, parseMark } from "../plan/mark.ts";
import { HOST, type NetOp } from "../plan/ops.ts";
import { requireSharedMounts } from "../sys/mount_propagation.ts";
import { lockAgent } from "./agent_lock.ts";
import { type Attachment, attachmentKey } from "./attachment.ts";
import { AttachmentRecords } from "./attachment_records.ts";
import { type CleanupPlaces, ownFiles, removeOwnFile } from "./cleanup_files.ts";

export interface CleanupOptions extends CleanupPlaces {
  /** Also while workloads are attached, which lose their interfaces; the plugin stays then. */
  readonly force: boolean;
  readonly log: Log;
}

/** What was done, as phrases. */
export interface CleanupReport {
  readonly removed: readonly string[];
  /** What was left alone, with why. */
  readonly kept: readonly string[];
  /** What could not be removed, with why. */
  readonly failed: readonly string[];
}

/** One step: what it is about, and what does it. */
interface Step {
  readonly what: string;
  /** Returns why it did not do it after all, if so. */
  readonly run: () => Promise<void> | string | undefined;
}

/**
 * Removes what is ours. Throws `K8slanError` "AgentRunning" while an agent runs, and "StillAttached"
 * while workloads are attached unless that is forced; nothing has been touched then.
 */
export async function cleanUpNode(options: CleanupOptions): Promise<CleanupReport> {
  const { runDir, force, log } = options;
  const netnsDir = `${runDir}/${NETNS_DIR_NAME}`;
  const isNew = !isThere(runDir);
  for (const path of [runDir, netnsDir]) Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  requireSharedMounts(netnsDir);
  using _lock = lockAgent(runDir, log);
  using kernel = new LinuxKernel(netnsDir);
  const report = { removed: [] as string[], kept: [] as string[], failed: [] as string[] };
  const work = survey(kernel, options);
  if (work.attached.length > 0 && !force) throw stillAttached(work.attached);
  report.kept.push(...work.foreign);
  await runAll([...work.lans, ...work.links], report);
  await kernel.settled();

  const files = ownFiles(options, {
    // Nor on a second run, when nobody knows any more that there were workloads.
    keepPlugin: force,
    // What is left in there may be in use just as well.
    keepRunDir: work.foreign.length + report.failed.length > 0,
  });
  report.kept.push(...files.kept);
  const steps = files.own.map((file) => ({
    what: `"${file.path}"`,
    run: () => removeOwnFile(file),
  }));
  await runAll(steps, report);
  // What was made for the lock alone is not worth a word.
  const removed = report.removed.filter((what) => !isNew || !what.startsWith(`"${runDir}`));
  return { ...report, removed };
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

interface Work {
  readonly attached: readonly string[];
  readonly foreign: readonly string[];
  readonly lans: readonly Step[];
  readonly links: readonly Step[];
}

function survey(kernel: Kernel, { stateDir, log }: CleanupOptions): Work {
  const records = readRecords(stateDir, log);
  const attached: string[] = [];
  const foreign: string[] = [];
  const lans: Step[] = [];
  for (const path of kernel.netnsPaths()) {
    const { netns, links } = kernel.observe({ netnsPath: path, hostLinks: [], targets: [] });
    if (netns.state === "foreign") foreign.push(`"${path}": it is ${netns.found}`);
    if (netns.state === "unfinished") {
      lans.push({ what: `"${path}"`, run: () => void kernel.removeUnfinished(path) });
    }
    if (netns.state !== "ours") continue;
    const lan = netns.mark.name ?? netns.mark.lan;
    const ports = [...links.values()].filter(({ attrs }) => attrs.kind === "veth");
    for (const { alias } of ports) {
      const mark = parseMark(alias);
      if (mark !== undefined) attached.push(...attachedText(kernel, lan, mark, records));
    }
    const ops: NetOp[] = [
      // One by one, since what dies with a namespace does so some time after.
      ...ports.map(({ name }) => ({ op: "delete-link", at: path, name }) as const),
      ...removal({ netns: { path, mark: "" } }, links.values()),
    ];
    lans.push({ what: `LAN "${lan}" in "${path}"`, run: () => kernel.apply(ops) });
  }
  // Looked for at the time: most of them have gone with their LAN by then.
  const strays = () =>
    kernel.markedHostLinks().map(({ name }) => ({ op: "delete-link", at: HOST, name }) as const);
  const links = strays().map(({ name }) => ({
    what: `link "${name}"`,
    run: () => kernel.apply(strays().filter((stray) => stray.name === name)),
  }));
  return { attached, foreign, lans, links };
}

/** The workload that holds a port, unless there is none or it is gone. */
function attachedText(
  kernel: Kernel,
  lan: string,
  { container, ifname, spoke }: Mark,
  records: ReadonlyMap<string, Attachment>,
): string[] {
  if (container === undefined || ifname === undefined) return [];
  const { target, details } = records.get(attachmentKey({ containerId: container, ifname })) ?? {};
  if (target !== undefined && kernel.netnsIdentity(target.path) !== target.identity) return [];
  const pod = details?.pod;
  const who = pod === undefined ? `container "${container}"` : `pod "${pod.namespace}/${pod.name}"`;
  return [`${who} to ${spoke === undefined ? "" : `spoke "${spoke}" of `}LAN "${lan}"`];
}

function readRecords(stateDir: string, log: Log): ReadonlyMap<string, Attachment> {
  const directory = `${stateDir}/attachments`;
  return isThere(directory) ? new AttachmentRecords(directory, log).readAll() : new Map();
}

function stillAttached(attached: readonly string[]): K8slanError {
  return new K8slanError(
    "StillAttached",
    `Still attached on this node: ${
      attached.join(", ")
    }; end these workloads first, or take their interfaces away with --force`,
  );
}

async function runAll(
  steps: readonly Step[],
  report: { readonly removed: string[]; readonly kept: string[]; readonly failed: string[] },
): Promise<void> {
  for (const { what, run } of steps) {
    try {
      const left = await run();
      if (typeof left === "string") report.kept.push(`${what}: ${left}`);
      else report.removed.push(what);
    } catch (error) {
      report.failed.push(`${what}: ${describe(error)}`);
    }
  }
}
