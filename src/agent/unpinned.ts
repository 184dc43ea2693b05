/** Attachments whose address should be pinned, and nobody knows which it is. */

import type { Condition } from "../api/agent_protocol.ts";
import { textList } from "../base/text_list.ts";
import type { ObservedFilters } from "../plan/observed.ts";
import type { WantedLan } from "../plan/wanted.ts";
import type { Attachment } from "./attachment.ts";

/**
 * The address that an attachment was given stands in its record and, once it is pinned, in the
 * kernel. What the interface has by now is no proof: its workload may have changed it.
 */
export function unpinned(
  { lan, protection }: Pick<WantedLan, "lan" | "protection">,
  held: readonly Attachment[],
  observe: () => ObservedFilters | undefined,
): Condition[] {
  const unknown = held.filter(({ details }) => details === undefined);
  if (protection?.pinMac !== true || unknown.length === 0) return [];
  const filters = observe();
  const free = unknown.filter(({ port }) => {
    const filter = filters?.get(port);
    return filter === undefined || filter === "damaged" || filter.mac === undefined;
  });
  if (free.length === 0) return [];
  const names = free.map(({ spoke, containerId }) => `"${spoke ?? containerId}"`);
  return [{
    reason: "AddressNotPinned",
    message:
      `LAN "${lan}" asks for spec.pinMac, but which address these were given was lost with the agent's state directory, so they may send with any: ${
        textList(names, { most: 5 })
      }; restart those workloads`,
  }];
}
