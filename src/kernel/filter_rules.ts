/** What a port takes in ⇄ rules of nf_tables, the same as `nft` makes of the commands in `opText`. */

import { parseMac } from "../base/mac.ts";
import { isSameJson } from "../base/same_json.ts";
import { ARPHRD_ETHER, NFT_CMP_EQ, NFT_CMP_NEQ } from "../netlink/nft/constants.ts";
import type { Expression } from "../netlink/nft/expression.ts";
import { addChain, addRule, addTable, createChain, deleteChain } from "../netlink/nft/request.ts";
import type { Request } from "../netlink/wire/message.ts";
import { FILTER_TABLE, filterChain } from "../plan/ops.ts";
import type { PortFilter } from "../plan/protection.ts";

const MAC_LENGTH = 6;
const DESTINATION = { expr: "ether", offset: 0, length: MAC_LENGTH } as const;
const SOURCE = { expr: "ether", offset: MAC_LENGTH, length: MAC_LENGTH } as const;
/** Of a destination: broadcast and multicast have it (IEEE 802, 8.2.2). */
const GROUP_BIT = "010000000000";
const NO_BIT = "000000000000";

const IS_ETHERNET: readonly Expression[] = [
  { expr: "iiftype" },
  { expr: "cmp", op: NFT_CMP_EQ, value: ARPHRD_ETHER },
];
const COUNT_AND_DROP: readonly Expression[] = [{ expr: "counter" }, { expr: "drop" }];

/** Requests that give the port its filter, to be carried out together. */
export function filterRequests(port: string, filter: PortFilter, replaces: boolean): Request[] {
  const chain = filterChain(port);
  return [
    addTable(FILTER_TABLE),
    // So that there is one to delete, though a kernel may have let it go with its link.
    ...(replaces ? [addChain(FILTER_TABLE, chain), deleteChain(FILTER_TABLE, chain)] : []),
    createChain(FILTER_TABLE, chain, port),
    ...filterRules(filter).map((rule) => addRule(FILTER_TABLE, chain, rule)),
  ];
}

/** Spoofed frames first: they are not to use up what the address's owner may send. */
export function filterRules({ mac, broadcast }: PortFilter): Expression[][] {
  const rules: Expression[][] = [];
  if (mac !== undefined) {
    rules.push([
      ...IS_ETHERNET,
      SOURCE,
      { expr: "cmp", op: NFT_CMP_NEQ, value: parseMac(mac).toHex() },
      ...COUNT_AND_DROP,
    ]);
  }
  if (broadcast !== undefined) {
    rules.push([
      ...IS_ETHERNET,
      DESTINATION,
      { expr: "and", mask: GROUP_BIT },
      { expr: "cmp", op: NFT_CMP_NEQ, value: NO_BIT },
      { expr: "over", ...broadcast },
      ...COUNT_AND_DROP,
    ]);
  }
  return rules;
}

/** What the rules amount to; "damaged" if they are not all ours. */
export function readFilter(rules: readonly (readonly Expression[])[]): PortFilter | "damaged" {
  const all = rules.flat();
  const pinned = all.find(({ expr }, at) => expr === "cmp" && isSameJson(all[at - 1], SOURCE));
  const over = all.find(({ expr }) => expr === "over");
  const filter: PortFilter = {
    ...(pinned?.expr === "cmp" && pinned.value.length === 2 * MAC_LENGTH
      ? { mac: pinned.value.match(/../g)!.join(":") }
      : {}),
    ...(over?.expr === "over" ? { broadcast: { rate: over.rate, burst: over.burst } } : {}),
  };
  return isSameJson(rules, filterRules(filter)) ? filter : "damaged";
}
