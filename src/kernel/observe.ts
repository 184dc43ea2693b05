/** Reads from the kernel what is there of a LAN. */

import { describe, K8slanError } from "../base/errors.ts";
import { ENODEV } from "../base/errno.ts";
import type { NetlinkClient } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { decodeForwarding, dumpForwarding, type ForwardingEntry } from "../netlink/forwarding.ts";
import { decodeLink, type LinkInfo } from "../netlink/link_info.ts";
import { dumpLinks, getLink } from "../netlink/link_request.ts";
import { parseMark } from "../plan/mark.ts";
import type { ObservedLan, ObservedNetns } from "../plan/observed.ts";
import { SyscallError } from "../sys/syscall_error.ts";
import { readFilters } from "./filters.ts";
import type { Scope } from "./kernel.ts";
import { isUnfinishedNetns } from "./lan_netns.ts";
import { type OpenPlace, openPlace, type OpenTransport } from "./places.ts";
import { isShortage } from "./shortage.ts";

/** The state of one LAN; `host` is a client in the host namespace. */
export function observeLan(host: NetlinkClient, scope: Scope, open: OpenTransport): ObservedLan {
  const { links, ...lan } = observeNetns(scope.netnsPath, open);
  return {
    ...lan,
    links: byName(links),
    // By the name asked for: it can be another link's alternative name.
    hostLinks: new Map(scope.hostLinks.flatMap((name) => {
      const found = findLink(host, name);
      return found === undefined ? [] : [[name, found] as const];
    })),
    targets: new Map(scope.targets.flatMap((path) => {
      const found = linksAt(path, open);
      return found === undefined ? [] : [[path, byName(found)] as const];
    })),
  };
}

/** The link of that name in the client's namespace, if there is one. */
export function findLink(client: NetlinkClient, name: string): LinkInfo | undefined {
  try {
    return client.get(getLink({ name }), decodeLink);
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

/** All links of the namespace at `path`; undefined when there is none. */
export function linksAt(path: string, open: OpenTransport): LinkInfo[] | undefined {
  return askAt(path, open, ({ client }) => client.dump(dumpLinks(), decodeLink));
}

/** The link of that name in the namespace at `path`; undefined when either is not there. */
export function linkAt(path: string, name: string, open: OpenTransport): LinkInfo | undefined {
  return askAt(path, open, ({ client }) => findLink(client, name));
}

function askAt<T>(
  path: string,
  open: OpenTransport,
  ask: (place: OpenPlace) => T,
): T | undefined {
  try {
    using place = openPlace(path, open);
    return ask(place);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

type ObservedInside = Omit<ObservedLan, "hostLinks" | "targets" | "links"> & {
  readonly links: readonly LinkInfo[];
};

function observeNetns(path: string, open: OpenTransport): ObservedInside {
  const nothing = { links: [], forwarding: [] };
  try {
    return askAt(path, open, observeInside) ?? { netns: unbound(path), ...nothing };
  } catch (error) {
    // Only what is wrong with the path itself makes it foreign.
    if (!(error instanceof SyscallError) || isShortage(error)) throw error;
    return { netns: unreadable(error), ...nothing };
  }
}

function observeInside(place: OpenPlace): ObservedInside {
  const { client } = place;
  const links = client.dump(dumpLinks(), decodeLink);
  const mark = parseMark(links.find(({ name }) => name === "lo")?.alias);
  if (mark === undefined) {
    const found = "a network namespace that is not ours";
    return { netns: { state: "foreign", found }, links: [], forwarding: [] };
  }
  const filters = readFilters(place);
  return {
    netns: { state: "ours", mark },
    links,
    forwarding: links.flatMap((link) => forwardingOf(client, link)),
    ...(filters === undefined ? {} : { filters }),
  };
}

/** The table of a VXLAN that goes by it; what others have learned is of no concern. */
function forwardingOf(client: NetlinkClient, { index, attrs }: LinkInfo): ForwardingEntry[] {
  if (attrs.kind !== "vxlan" || attrs.group !== undefined) return [];
  return client.dump(dumpForwarding(index), decodeForwarding)
    .filter((entry) => entry.index === index && entry.self);
}

function unbound(path: string): ObservedNetns {
  try {
    return isUnfinishedNetns(path)
      ? { state: "unfinished" }
      : { state: "foreign", found: "something that is not a network namespace" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { state: "absent" };
    return unreadable(error);
  }
}

function unreadable(error: unknown): ObservedNetns {
  return { state: "foreign", found: `something that cannot be read (${describe(error)})` };
}

function isMissing(error: unknown): boolean {
  return error instanceof K8slanError && error.code === "NotANamespace" ||
    error instanceof SyscallError && error.errnoName === "ENOENT";
}

function byName(links: readonly LinkInfo[]): Map<string, LinkInfo> {
  return new Map(links.map((link) => [link.name, link]));
}
