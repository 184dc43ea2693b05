/** What is there of an attachment. */

import type { LinkInfo } from "../netlink/link_info.ts";
import { formatMark, markId } from "./mark.ts";
import type { ObservedLan } from "./observed.ts";
import type { WantedAttachment, WantedLan } from "./wanted.ts";

/** The mark that makes an attachment count. */
export function completeMark(lan: Pick<WantedLan, "uid">, attachment: WantedAttachment): string {
  const { spoke, containerId, ifname, attach } = attachment;
  return formatMark({
    lan: markId(lan.uid),
    ...(spoke === undefined ? {} : { spoke }),
    container: containerId,
    ifname,
    attach,
  });
}

/** Has the attachment been made to its end? */
export function isComplete(
  lan: Pick<WantedLan, "uid">,
  attachment: WantedAttachment,
  observed: Pick<ObservedLan, "links">,
): boolean {
  return observed.links.get(attachment.port)?.alias === completeMark(lan, attachment);
}

/** The attachment's bridge port, by its name or, when somebody renamed it, by its mark. */
export function portLink(
  lan: Pick<WantedLan, "uid">,
  attachment: WantedAttachment,
  { links }: Pick<ObservedLan, "links">,
): LinkInfo | undefined {
  const named = links.get(attachment.port);
  if (named !== undefined) return named;
  const mark = completeMark(lan, attachment);
  return links.values().find(({ alias }) => alias === mark);
}

/** The attachment's interface in its workload's namespace, under whatever name it has by now. */
export function workloadLink(
  lan: Pick<WantedLan, "uid">,
  attachment: WantedAttachment,
  observed: Pick<ObservedLan, "links" | "targets">,
): LinkInfo | undefined {
  const { target } = attachment;
  const inside = target === undefined ? undefined : observed.targets.get(target);
  if (attachment.attach === "macvtap") {
    const { index } = attachment;
    return inside?.values().find((link) => link.attrs.kind === "macvtap" && link.index === index);
  }
  const port = portLink(lan, attachment, observed);
  return inside?.values().find((link) =>
    link.attrs.kind === "veth" && link.index === port?.link && link.link === port.index
  );
}
