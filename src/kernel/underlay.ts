/** Underlay devices, as the kernel describes them. */

import {
  type AddressInfo,
  decodeAddress,
  decodeGroup,
  dumpAddresses,
  dumpGroups,
} from "../netlink/address.ts";
import type { NetlinkClient } from "../netlink/client.ts";
import { formatIp, parseIp } from "../base/ip.ts";
import type { Underlay } from "../plan/wanted.ts";
import { readLinkSysctl } from "../sys/sysctl.ts";
import { findLink } from "./observe.ts";

/** Device `name` of the client's namespace; undefined when it does not exist. */
export function readUnderlay(client: NetlinkClient, name: string): Underlay | undefined {
  const link = findLink(client, name);
  if (link === undefined) return undefined;
  const addresses = client.dump(dumpAddresses("ipv6", link.index), decodeAddress)
    .filter(({ index, address }) => index === link.index && isLinkLocal(address));
  const { index, mtu, up, running } = link;
  const ipv6 = isIpv6Off(name) ? "off" : ipv6State(addresses);
  return { name, index, mtu, up, running, ipv6 };
}

/** Also where the kernel has no IPv6 at all. */
function isIpv6Off(name: string): boolean {
  return readLinkSysctl("ipv6", name, "disable_ipv6") !== 0;
}

/** fe80::/10 (RFC 4291, 2.4) */
function isLinkLocal(address: string): boolean {
  const bytes = parseIp(address);
  return bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

function ipv6State(addresses: readonly AddressInfo[]): Underlay["ipv6"] {
  if (addresses.some(({ tentative, duplicate }) => !tentative && !duplicate)) return "usable";
  if (addresses.some(({ duplicate }) => duplicate)) return "duplicate";
  return addresses.length > 0 ? "tentative" : "none";
}

/** Is `device` of the client's namespace a member of `group` (`ip -6 maddr show`)? */
export function isGroupMember(client: NetlinkClient, device: string, group: string): boolean {
  const link = findLink(client, device);
  if (link === undefined) return false;
  const wanted = formatIp(parseIp(group));
  return client.dump(dumpGroups(link.index), decodeGroup)
    .some((found) => found.index === link.index && found.group === wanted);
}
