/** Bridge ports in the kernel → the attachments that they prove. */

import { portName } from "../plan/identity.ts";
import { type Mark, parseMark } from "../plan/mark.ts";
import type { ObservedLan } from "../plan/observed.ts";
import type { LinkInfo } from "../netlink/link_info.ts";
import { type Attachment, attachmentKey } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";
import type { TapIndexes } from "./tap_indexes.ts";

export interface TakeOverDependencies {
  readonly attachments: Attachments;
  readonly taps: TapIndexes;
}

/** How the names of our ports end; a link that a person put there has another. */
const PORT_SUFFIX = portName("");

/**
 * Takes in the complete attachments of a LAN that are not known yet. Returns the ports that are
 * neither known nor complete: what a crash or a failed undo left.
 */
export function takeOver(
  { attachments, taps }: TakeOverDependencies,
  netnsPath: string,
  owner: Mark,
  links: ObservedLan["links"],
  remembered: () => ReadonlyMap<string, Attachment>,
): string[] {
  const known = new Set(attachments.ofLan(owner.lan).map(({ port }) => port));
  const unknown = [...links.values()].filter(({ name, attrs }) =>
    attrs.kind === "veth" && name.endsWith(PORT_SUFFIX) && !known.has(name)
  );
  const unfinished: string[] = [];
  for (const link of unknown) {
    const attachment = provenBy(link, netnsPath, owner, remembered());
    if (attachment === undefined) {
      unfinished.push(link.name);
      continue;
    }
    attachments.restore(attachment);
    const { spoke, details } = attachment;
    if (spoke !== undefined && details?.tapIndex !== undefined) taps.inUse(spoke, details.tapIndex);
  }
  return unfinished;
}

/** The attachment that a bridge port proves; undefined for one that was never completed. */
function provenBy(
  link: LinkInfo,
  netnsPath: string,
  owner: Mark,
  remembered: ReadonlyMap<string, Attachment>,
): Attachment | undefined {
  const mark = parseMark(link.alias);
  if (mark?.lan !== owner.lan) return undefined;
  const { container: containerId, ifname, attach, spoke, lan: lanId } = mark;
  if (containerId === undefined || ifname === undefined || attach === undefined) return undefined;
  const record = remembered.get(attachmentKey({ containerId, ifname }));
  if (record?.lanId === lanId && record.port === link.name) return { ...record, netnsPath };
  return {
    ...{ containerId, ifname, attach, lanId, netnsPath },
    lan: owner.name ?? lanId,
    port: link.name,
    ...(spoke === undefined ? {} : { spoke }),
  };
}
