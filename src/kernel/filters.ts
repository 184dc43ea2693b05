/** Filters of bridge ports in a LAN's namespace: read, replaced, removed, and whether there can be any. */

import { EINVAL, ENOENT, EPROTONOSUPPORT } from "../base/errno.ts";
import { describe } from "../base/errors.ts";
import { NetlinkClient } from "../netlink/client.ts";
import { NetlinkError } from "../netlink/errors.ts";
import type { Expression } from "../netlink/nft/expression.ts";
import {
  BATCH_BEGIN,
  BATCH_END,
  decodeChain,
  decodeRule,
  deleteChain,
  deleteTable,
  dumpChains,
  dumpRules,
  getTable,
} from "../netlink/nft/request.ts";
import type { Request } from "../netlink/wire/message.ts";
import type { ObservedFilters } from "../plan/observed.ts";
import {
  type DeleteFilters,
  FILTER_TABLE,
  filterChain,
  type FilterPort,
  type UnfilterPort,
} from "../plan/ops.ts";
import type { PortFilter } from "../plan/protection.ts";
import { NETLINK_NETFILTER } from "../sys/netlink_socket.ts";
import { withNewNetns } from "../sys/netns.ts";
import { SyscallError } from "../sys/syscall_error.ts";
import { filterRequests, readFilter } from "./filter_rules.ts";
import type { OpenPlace, OpenTransport } from "./places.ts";

/** What the ports of the namespace take in; undefined where there is no table of ours. */
export function readFilters(place: OpenPlace): ObservedFilters | undefined {
  try {
    place.filters.get(getTable(FILTER_TABLE), () => {});
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  const chains = place.filters.dump(dumpChains(), decodeChain)
    .filter(({ table }) => table === FILTER_TABLE);
  const rules = new Map<string, (readonly Expression[])[]>();
  for (
    const { table, chain, expressions } of place.filters.dump(dumpRules(FILTER_TABLE), decodeRule)
  ) {
    if (table !== FILTER_TABLE) continue;
    const known = rules.get(chain);
    if (known === undefined) rules.set(chain, [expressions]);
    else known.push(expressions);
  }
  return new Map(chains.flatMap(({ name, devices }) => {
    // Of another name: somebody's own rules, which filter no less for being there.
    if (!name.startsWith(CHAIN_PREFIX)) return [];
    const port = name.slice(CHAIN_PREFIX.length);
    const isWhole = devices.length === 1 && devices[0] === port;
    return [[port, isWhole ? readFilter(rules.get(name) ?? []) : "damaged"] as const];
  }));
}

const CHAIN_PREFIX = filterChain("");

/** No such table, no such part of the kernel (which answers EINVAL), no netfilter at all. */
function isAbsent(error: unknown): boolean {
  return error instanceof NetlinkError && (error.errno === ENOENT || error.errno === EINVAL) ||
    error instanceof SyscallError && error.errno === EPROTONOSUPPORT;
}

/** Carries out an operation on filters. What is to be removed and is not there is fine. */
export function changeFilters(
  op: FilterPort | UnfilterPort | DeleteFilters,
  place: OpenPlace,
): void {
  switch (op.op) {
    case "filter-port":
      return together(place.filters, filterRequests(op.name, op, op.replaces));
    case "unfilter-port":
      return unlessMissing(() =>
        together(place.filters, [deleteChain(FILTER_TABLE, filterChain(op.name))])
      );
    case "delete-filters":
      return unlessMissing(() => together(place.filters, [deleteTable(FILTER_TABLE)]));
  }
}

function together(client: NetlinkClient, requests: readonly Request[]): void {
  client.executeTogether(BATCH_BEGIN, requests, BATCH_END);
}

function unlessMissing(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof NetlinkError && error.errno === ENOENT)) throw error;
  }
}

/** Everything that a filter can consist of, for a link that each namespace has. */
const SAMPLE: PortFilter = { mac: "02:00:00:00:00:01", broadcast: { rate: 1, burst: 1 } };

/**
 * Why the kernel cannot filter what ports take in; undefined if it can. Found by trying, without
 * putting it into effect, in a namespace made for it alone.
 */
export function filterProblem(open: OpenTransport): string | undefined {
  try {
    using client = withNewNetns(() => new NetlinkClient(open(NETLINK_NETFILTER)));
    client.executeTogether(BATCH_BEGIN, filterRequests("lo", SAMPLE, true));
    return undefined;
  } catch (error) {
    return describe(error);
  }
}
