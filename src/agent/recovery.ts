/** What a former run of the agent left: complete attachments are taken over, the rest is removed. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { LinkInfo } from "../netlink/link_info.ts";
import { type Mark, parseMark } from "../plan/mark.ts";
import { HOST } from "../plan/ops.ts";
import { type Attachment, attachmentKey } from "./attachment.ts";
import type { AttachmentRecords } from "./attachment_records.ts";
import type { Attachments } from "./attachments.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { TapIndexes } from "./tap_indexes.ts";

export interface RecoveryDependencies {
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly attachments: Attachments;
  readonly records: AttachmentRecords;
  readonly taps: TapIndexes;
  readonly log: Log;
}

/** Reads the marks in the kernel, with the records for what marks do not say. */
export async function recover(deps: RecoveryDependencies): Promise<void> {
  const { kernel, records, attachments, log } = deps;
  const remembered = records.readAll();
  for (const path of kernel.netnsPaths()) {
    try {
      await recoverLan(deps, path, remembered);
    } catch (error) {
      log.error("Cannot take over LAN", { path, error: describe(error) });
    }
  }
  for (const key of remembered.keys()) {
    if (attachments.get(key) === undefined) records.remove(key);
  }
  await removeStrayHostLinks(deps);
}

async function recoverLan(
  { kernel, builder, attachments, taps, log }: RecoveryDependencies,
  path: string,
  remembered: ReadonlyMap<string, Attachment>,
): Promise<void> {
  const { netns, links } = builder.observe(path, []);
  if (netns.state === "unfinished") return kernel.removeUnfinished(path);
  if (netns.state !== "ours") return;
  const lan = netns.mark.name ?? netns.mark.lan;
  for (const link of links.values()) {
    if (link.attrs.kind !== "veth") continue;
    const attachment = ofMark(path, netns.mark, link, remembered);
    if (attachment === undefined) {
      log.info("Removing unfinished attachment", { lan, port: link.name });
      await builder.detach(lan, path, netns.mark.lan, link.name);
      continue;
    }
    attachments.restore(attachment);
    const { spoke, details } = attachment;
    if (spoke !== undefined && details?.tapIndex !== undefined) {
      taps.inUse(spoke, details.tapIndex);
    }
  }
  const { lan: lanId } = netns.mark;
  if (attachments.ofLan(lanId).length === 0) await builder.remove(lan, path, lanId);
}

/** The attachment that a bridge port proves; undefined for one that was never completed. */
function ofMark(
  netnsPath: string,
  owner: Mark,
  link: LinkInfo,
  remembered: ReadonlyMap<string, Attachment>,
): Attachment | undefined {
  const mark = parseMark(link.alias);
  if (mark?.container === undefined || mark.ifname === undefined || mark.attach === undefined) {
    return undefined;
  }
  const { container: containerId, ifname, attach, spoke, lan: lanId } = mark;
  const record = remembered.get(attachmentKey({ containerId, ifname }));
  if (record?.lanId === lanId && record.port === link.name) return record;
  return {
    ...{ containerId, ifname, attach, lanId, netnsPath },
    lan: owner.name ?? lanId,
    port: link.name,
    ...(spoke === undefined ? {} : { spoke }),
  };
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
