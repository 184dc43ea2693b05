/** Underlay devices, as the kernel describes them. */

import {
  type AddressInfo,
  decodeAddress,
  decodeGroup,
  dumpAddresses,
  dumpGroups,
} from "../netlink/address.ts";
import type { NetlinkClient } from "../netlink/client.ts";
import { formatIp, isIpv6LinkLocal, parseIp } from "../base/ip.ts";
import { vtepAddress } from "../plan/vtep.ts";
import type { Underlay } from "../plan/wanted.ts";
import { readLinkSysctl } from "../sys/sysctl.ts";
import { findLink } from "./observe.ts";

/** Device `name` of the client's namespace; undefined when it does not exist. */
export function readUnderlay(client: NetlinkClient, name: string): Underlay | undefined {
  const link = findLink(client, name);
  if (link === undefined) return undefined;
  const addresses = client.dump(dumpAddresses("ipv6", link.index), decodeAddress)
    .filter(({ index }) => index === link.index);
  const { index, mtu, up, running } = link;
  const ipv6 = isIpv6Off(name)
    ? "off"
    : ipv6State(addresses.filter(({ address }) => isIpv6LinkLocal(address)));
  const unusable = unusableState(addresses);
  return {
    ...{ name, index, mtu, up, running, ipv6, addresses: vteps(addresses) },
    ...(unusable === undefined ? {} : { unusable }),
  };
}

/** Length of a prefix that is one address: a floating one mostly, which another node may have next. */
const HOST_PREFIX = 128;

/**
 * Addresses that other nodes can send to, in an order that depends on nothing but themselves: those
 * that are routed, those that belong to a subnet, those set by hand, then as bytes go.
 */
export function vteps(addresses: readonly AddressInfo[]): string[] {
  const ranked = addresses.flatMap((info) => {
    const { tentative, duplicate, deprecated, temporary, permanent, length } = info;
    const address = vtepAddress(info.address);
    if (address === undefined || tentative || duplicate || deprecated || temporary) return [];
    const ranks = [isIpv6LinkLocal(address), length === HOST_PREFIX, !permanent].map(Number);
    const bytes = [...parseIp(address)].map((byte) => byte.toString(16).padStart(2, "0"));
    return [{ address, rank: [...ranks, ...bytes].join("") }];
  });
  return ranked.sort((one, other) => one.rank < other.rank ? -1 : 1).map(({ address }) => address);
}

/** Also where the kernel has no IPv6 at all. */
function isIpv6Off(name: string): boolean {
  return readLinkSysctl("ipv6", name, "disable_ipv6") !== 0;
}

function ipv6State(addresses: readonly AddressInfo[]): Underlay["ipv6"] {
  if (addresses.some(({ tentative, duplicate }) => !tentative && !duplicate)) return "usable";
  return unusableState(addresses) ?? "none";
}

/** A failed check lasts, and one that goes on does not. */
export function unusableState(addresses: readonly AddressInfo[]): Underlay["unusable"] {
  if (addresses.some(({ duplicate }) => duplicate)) return "duplicate";
  return addresses.some(({ tentative }) => tentative) ? "tentative" : undefined;
}

/**
 * IPv6 addresses of all devices of the client's namespace, usable or not. Link-local ones are left
 * out: each link has others of that name.
 */
export function ownAddresses(client: NetlinkClient): ReadonlySet<string> {
  const all = client.dump(dumpAddresses("ipv6"), decodeAddress);
  return new Set(
    all.map(({ address }) => address).filter((address) => !isIpv6LinkLocal(address)),
  );
}

/** Is `device` of the client's namespace a member of `group` (`ip -6 maddr show`)? */
export function isGroupMember(client: NetlinkClient, device: string, group: string): boolean {
  const link = findLink(client, device);
  if (link === undefined) return false;
  const wanted = formatIp(parseIp(group));
  return client.dump(dumpGroups(link.index), decodeGroup)
    .some((found) => found.index === link.index && found.group === wanted);
}
