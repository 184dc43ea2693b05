/** What a former run of the agent left: complete attachments are taken over, the rest is removed. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { HOST } from "../plan/ops.ts";
import type { Attachment } from "./attachment.ts";
import type { AttachmentRecords } from "./attachment_records.ts";
import type { Attachments } from "./attachments.ts";
import type { LanBuilder } from "./lan_builder.ts";
import { takeOver } from "./take_over.ts";
import type { TapIndexes } from "./tap_indexes.ts";

export interface RecoveryDependencies {
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly attachments: Attachments;
  readonly records: AttachmentRecords;
  readonly taps: TapIndexes;
  readonly log: Log;
}

/**
 * Reads the marks in the kernel, with the records for what marks do not say. What belongs to a LAN
 * that could not be read stays as it is, on disk and in the kernel: it may well be in use. A record
 * without a mark stands for an attachment that lost its links, as long as its workload lives.
 */
export async function recover(deps: RecoveryDependencies): Promise<void> {
  const { kernel, records, attachments, log } = deps;
  const remembered = records.readAll();
  const unread = new Set<string>();
  for (const path of kernel.netnsPaths()) {
    try {
      if (!await recoverLan(deps, path, remembered)) unread.add(path);
    } catch (error) {
      unread.add(path);
      log.error("Cannot take over LAN", { path, error: describe(error) });
    }
  }
  if (unread.size === 0) await removeStrayHostLinks(deps);
  for (const [key, record] of remembered) {
    try {
      if (attachments.get(key) !== undefined) {
        if (records.isAnnounced(key)) records.confirm(record);
      } else if (!unread.has(record.netnsPath)) {
        if (records.isAnnounced(key) || !isAlive(kernel, record)) records.remove(key);
        else restore(deps, record);
      }
    } catch (error) {
      log.error("Cannot tell whether a workload lives", { key, error: describe(error) });
    }
  }
}

/** Its links went while no agent ran: the next look at its LAN makes them anew. */
function restore({ attachments, taps, log }: RecoveryDependencies, record: Attachment): void {
  const { lan, containerId, ifname, spoke, details } = record;
  log.warn("The links of an attachment are gone", { lan, spoke, container: containerId, ifname });
  attachments.restore(record);
  if (spoke !== undefined && details?.tapIndex !== undefined) taps.inUse(spoke, details.tapIndex);
}

/** Is the workload's namespace still there? */
function isAlive(kernel: Kernel, { target }: Attachment): boolean {
  return target !== undefined && kernel.netnsIdentity(target.path) === target.identity;
}

/** Says whether it is known what is there. */
async function recoverLan(
  deps: RecoveryDependencies,
  path: string,
  remembered: ReadonlyMap<string, Attachment>,
): Promise<boolean> {
  const { kernel, builder, attachments, log } = deps;
  const { netns, links } = builder.observe(path, []);
  if (netns.state === "unfinished") kernel.removeUnfinished(path);
  if (netns.state !== "ours") return netns.state !== "foreign";
  const { lan: lanId, name: lan = lanId } = netns.mark;
  for (const port of takeOver(deps, path, netns.mark, links, () => remembered)) {
    log.info("Removing unfinished attachment", { lan, port });
    await builder.detach(lan, path, lanId, port);
  }
  if (attachments.ofLan(lanId).length === 0) await builder.remove(lan, path, lanId);
  return true;
}

/** Host ends whose LAN has lost its namespace. */
async function removeStrayHostLinks(deps: RecoveryDependencies): Promise<void> {
  const known = new Set([...deps.attachments.all()].map(({ spoke }) => spoke));
  const stray = deps.kernel.markedHostLinks().filter(({ name }) => !known.has(name));
  for (const { name } of stray) deps.log.info("Removing stray link", { link: name });
  await deps.kernel.apply(
    stray.map(({ name }) => ({ op: "delete-link", at: HOST, name }) as const),
  );
}
