/**
 * Requests to nf_tables in family "netdev" (nft(8)). Those that change something take effect only
 * between `BATCH_BEGIN` and `BATCH_END`, all of them or none; without the end, they are only tried.
 */

import { AttrWriter, readAttrs, readText } from "../wire/attrs.ts";
import {
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
} from "../wire/constants.ts";
import type { Request } from "../wire/message.ts";
import {
  NF_ACCEPT,
  NF_NETDEV_INGRESS,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_NETDEV,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELTABLE,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWTABLE,
  NFTA_CHAIN_HOOK,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_CHAIN_TABLE,
  NFTA_CHAIN_TYPE,
  NFTA_DEVICE_NAME,
  NFTA_HOOK_DEV,
  NFTA_HOOK_DEVS,
  NFTA_HOOK_HOOKNUM,
  NFTA_HOOK_PRIORITY,
  NFTA_RULE_CHAIN,
  NFTA_RULE_EXPRESSIONS,
  NFTA_RULE_TABLE,
  NFTA_TABLE_FLAGS,
  NFTA_TABLE_NAME,
} from "./constants.ts";
import { decodeExpressions, encodeExpression, type Expression } from "./expression.ts";

/** struct nfgenmsg: family, version, resource id in network byte order. */
const NFGENMSG_LENGTH = 4;

export const BATCH_BEGIN = batchEdge(NFNL_MSG_BATCH_BEGIN, "change nf_tables");
export const BATCH_END = batchEdge(NFNL_MSG_BATCH_END, "commit to nf_tables");

function batchEdge(type: number, summary: string): Request {
  const payload = Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES);
  return { type, flags: NLM_F_REQUEST, payload, summary };
}

/** `nft add table netdev NAME`; fine when it exists. */
export function addTable(table: string): Request {
  const payload = start().text(NFTA_TABLE_NAME, table).be32(NFTA_TABLE_FLAGS, 0).finish();
  return change(NFT_MSG_NEWTABLE, 0, payload, `add table "${table}"`);
}

/** `nft delete table netdev NAME`, with everything in it; fails with ENOENT when it is not there. */
export function deleteTable(table: string): Request {
  const payload = start().text(NFTA_TABLE_NAME, table).finish();
  return change(NFT_MSG_DELTABLE, 0, payload, `delete table "${table}"`);
}

/** `nft add chain netdev TABLE NAME`; fine when it exists. */
export function addChain(table: string, name: string): Request {
  const payload = chainPayload(table, name).finish();
  return change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, payload, `add chain "${name}"`);
}

/**
 * `nft create chain netdev TABLE NAME { type filter hook ingress device DEVICE priority 0; policy accept; }`:
 * one that sees what the device receives. Fails with EEXIST when there is a chain of that name.
 */
export function createChain(table: string, name: string, device: string): Request {
  const payload = chainPayload(table, name)
    .text(NFTA_CHAIN_TYPE, "filter")
    .be32(NFTA_CHAIN_POLICY, NF_ACCEPT)
    .nested(NFTA_CHAIN_HOOK, (inner) => {
      inner.be32(NFTA_HOOK_HOOKNUM, NF_NETDEV_INGRESS).be32(NFTA_HOOK_PRIORITY, 0)
        .text(NFTA_HOOK_DEV, device);
    })
    .finish();
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return change(NFT_MSG_NEWCHAIN, flags, payload, `create chain "${name}"`);
}

/** `nft delete chain netdev TABLE NAME`, with its rules. */
export function deleteChain(table: string, name: string): Request {
  const payload = chainPayload(table, name).finish();
  return change(NFT_MSG_DELCHAIN, 0, payload, `delete chain "${name}"`);
}

/** `nft add rule netdev TABLE CHAIN …`, behind those that are there. */
export function addRule(
  table: string,
  chain: string,
  expressions: readonly Expression[],
): Request {
  const writer = start().text(NFTA_RULE_TABLE, table).text(NFTA_RULE_CHAIN, chain);
  writer.nested(NFTA_RULE_EXPRESSIONS, () => {
    for (const expression of expressions) encodeExpression(writer, expression);
  });
  const flags = NLM_F_CREATE | NLM_F_APPEND;
  return change(NFT_MSG_NEWRULE, flags, writer.finish(), `add a rule to "${chain}"`);
}

/** `nft list table netdev NAME`, itself alone; fails with ENOENT when it is not there. */
export function getTable(table: string): Request {
  const payload = start().text(NFTA_TABLE_NAME, table).finish();
  return ask(NFT_MSG_GETTABLE, 0, payload, `get table "${table}"`);
}

/** `nft list chains netdev` */
export function dumpChains(): Request {
  return ask(NFT_MSG_GETCHAIN, NLM_F_DUMP, start().finish(), "list chains");
}

/** `nft list table netdev NAME`: the rules. Old kernels give those of other tables too. */
export function dumpRules(table: string): Request {
  const payload = start().text(NFTA_RULE_TABLE, table).finish();
  return ask(NFT_MSG_GETRULE, NLM_F_DUMP, payload, `list rules of "${table}"`);
}

export interface ChainInfo {
  readonly table: string;
  readonly name: string;
  /** Links at whose ingress it stands, if at any. */
  readonly devices: readonly string[];
}

/** Decodes the payload of an NFT_MSG_NEWCHAIN message. */
export function decodeChain(payload: Uint8Array): ChainInfo {
  let table = "";
  let name = "";
  const devices: string[] = [];
  for (const { type, value } of readAttrs(payload.subarray(NFGENMSG_LENGTH))) {
    if (type === NFTA_CHAIN_TABLE) table = readText(value);
    else if (type === NFTA_CHAIN_NAME) name = readText(value);
    else if (type === NFTA_CHAIN_HOOK) devices.push(...devicesOf(value));
  }
  return { table, name, devices };
}

/** One device stands by itself; kernels since 5.5 also list all of them. */
function devicesOf(hook: Uint8Array): Set<string> {
  const devices = new Set<string>();
  for (const { type, value } of readAttrs(hook)) {
    if (type === NFTA_HOOK_DEV) devices.add(readText(value));
    if (type !== NFTA_HOOK_DEVS) continue;
    for (const entry of readAttrs(value)) {
      if (entry.type === NFTA_DEVICE_NAME) devices.add(readText(entry.value));
    }
  }
  return devices;
}

export interface RuleInfo {
  readonly table: string;
  readonly chain: string;
  readonly expressions: readonly Expression[];
  /** Frames that its counter has seen. */
  readonly packets: bigint;
}

/** Decodes the payload of an NFT_MSG_NEWRULE message. */
export function decodeRule(payload: Uint8Array): RuleInfo {
  let table = "";
  let chain = "";
  let list: Uint8Array = new Uint8Array();
  for (const { type, value } of readAttrs(payload.subarray(NFGENMSG_LENGTH))) {
    if (type === NFTA_RULE_TABLE) table = readText(value);
    else if (type === NFTA_RULE_CHAIN) chain = readText(value);
    else if (type === NFTA_RULE_EXPRESSIONS) list = value;
  }
  return { table, chain, ...decodeExpressions(list) };
}

function chainPayload(table: string, name: string): AttrWriter {
  return start().text(NFTA_CHAIN_TABLE, table).text(NFTA_CHAIN_NAME, name);
}

function start(): AttrWriter {
  return new AttrWriter().raw(Uint8Array.of(NFPROTO_NETDEV, 0, 0, 0));
}

function change(message: number, flags: number, payload: Uint8Array, summary: string): Request {
  return ask(message, flags | NLM_F_ACK, payload, summary);
}

function ask(message: number, flags: number, payload: Uint8Array, summary: string): Request {
  return {
    type: NFNL_SUBSYS_NFTABLES << 8 | message,
    flags: NLM_F_REQUEST | flags,
    payload,
    summary,
  };
}
