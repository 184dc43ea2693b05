/** What bridge ports take in: wanted and observed → operations. */

import type { LinkInfo } from "../netlink/link_info.ts";
import type { Steps } from "./diff.ts";
import { markId, parseMark } from "./mark.ts";
import type { ObservedFilters } from "./observed.ts";
import { type PortFilter, portFilter, type Protection } from "./protection.ts";
import type { WantedLan } from "./wanted.ts";

/**
 * Adds what brings the filters of all ports in line. Of an attachment that is not among `wanted` the
 * address is not known: what the kernel has pinned stays pinned. Comes after the steps that make ports.
 */
export function diffFilters(
  wanted: WantedLan,
  links: ReadonlyMap<string, LinkInfo>,
  filters: ObservedFilters | undefined,
  steps: Steps,
): void {
  const { protection, netns: { path: at } } = wanted;
  if (protection === undefined) {
    if (filters !== undefined) steps.filter.push({ op: "delete-filters", path: at });
    return;
  }
  // A port that is made anew has none, whatever its predecessor had.
  const born = new Set(steps.host.flatMap((op) => op.op === "create-veth" ? op.peer.name : []));
  const gone = new Set(steps.host.flatMap((op) => op.op === "delete-link" ? op.name : []));
  const stays = links.values().filter(({ name }) => !gone.has(name));
  const ports = wantedFilters(wanted, protection, [...stays], filters, born);
  for (const [port, filter] of ports) {
    const found = born.has(port) ? undefined : filters?.get(port);
    if (isSame(found, filter)) continue;
    const replaces = filters?.has(port) ?? false;
    steps.filter.push({ op: "filter-port", at, name: port, replaces, ...filter });
  }
  for (const port of filters?.keys() ?? []) {
    if (!ports.has(port)) steps.filter.push({ op: "unfilter-port", at, name: port });
  }
}

function wantedFilters(
  wanted: WantedLan,
  protection: Protection,
  links: readonly LinkInfo[],
  filters: ObservedFilters | undefined,
  born: ReadonlySet<string>,
): Map<string, PortFilter> {
  const ports = new Map<string, PortFilter>();
  const add = (port: string, mac: string | undefined) => {
    const filter = portFilter(protection, mac);
    if (filter !== undefined) ports.set(port, filter);
  };
  for (const { name, alias } of links) {
    const mark = parseMark(alias);
    if (mark?.container === undefined || mark.lan !== markId(wanted.uid)) continue;
    const found = filters?.get(name);
    add(name, found === "damaged" ? undefined : found?.mac);
  }
  const present = new Set(links.map(({ name }) => name));
  for (const { port, address } of wanted.attachments) {
    if (present.has(port) || born.has(port)) add(port, address);
  }
  return ports;
}

function isSame(found: PortFilter | "damaged" | undefined, wanted: PortFilter): boolean {
  return found !== undefined && found !== "damaged" && found.mac === wanted.mac &&
    found.broadcast?.rate === wanted.broadcast?.rate &&
    found.broadcast?.burst === wanted.broadcast?.burst;
}
