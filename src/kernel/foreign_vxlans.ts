/** VXLANs of others in the host's namespace, as the kernel describes them. */

import type { NetlinkClient } from "../netlink/client.ts";
import type { VxlanAttrs } from "../netlink/link/vxlan.ts";
import { decodeLink, type LinkInfo } from "../netlink/link_info.ts";
import { dumpLinks } from "../netlink/link_request.ts";
import type { ForeignVxlan } from "../plan/foreign_vxlan.ts";
import { parseMark } from "../plan/mark.ts";

/** Those of the client's namespace. */
export function readForeignVxlans(client: NetlinkClient): ForeignVxlan[] {
  return foreignVxlansOf(client.dump(dumpLinks("vxlan"), decodeLink));
}

/** Those without our mark, in the order of their names. */
export function foreignVxlansOf(links: readonly LinkInfo[]): ForeignVxlan[] {
  return links.flatMap(({ name, up, alias, attrs }) => {
    if (attrs.kind !== "vxlan" || parseMark(alias) !== undefined) return [];
    const { vni, port, alone = false } = attrs;
    return [{ name, up, vni, port, ipv6: isOverIpv6(attrs), alone }];
  }).sort((one, other) => one.name < other.name ? -1 : 1);
}

/** An `external` one serves both. */
export function isOverIpv6({ external = false, group, local }: VxlanAttrs): boolean {
  return external || (group ?? local)?.includes(":") === true;
}
