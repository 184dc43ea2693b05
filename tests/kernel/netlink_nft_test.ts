/** Rules at the ingress of a link: made by the real kernel, read back by our decoder and by `nft`. */

import assert from "node:assert/strict";
import { NetlinkClient } from "../../src/netlink/client.ts";
import {
  addRule,
  addTable,
  BATCH_BEGIN,
  BATCH_END,
  createChain,
  decodeChain,
  decodeRule,
  deleteChain,
  deleteTable,
  dumpChains,
  dumpRules,
  getTable,
} from "../../src/netlink/nft/request.ts";
import type { Expression } from "../../src/netlink/nft/expression.ts";
import type { Request } from "../../src/netlink/wire/message.ts";
import { NETLINK_NETFILTER, openNetlinkSocket } from "../../src/sys/netlink_socket.ts";
import { withNetns } from "../../src/sys/netns.ts";
import { kernelTest, refusal, type ScratchNetns, scratchNetns } from "../support/scratch_netns.ts";

const RULE: readonly Expression[] = [
  { expr: "ether", offset: 0, length: 6 },
  { expr: "and", mask: "010000000000" },
  { expr: "cmp", op: 1, value: "000000000000" },
  { expr: "over", rate: 1_000_000, burst: 1_000_000 },
  { expr: "counter" },
  { expr: "drop" },
];
const MAKE: readonly Request[] = [
  addTable("t"),
  createChain("t", "from-lo", "lo"),
  addRule("t", "from-lo", RULE),
];

/** A client for the filters of a namespace. */
function filters({ netns }: ScratchNetns): NetlinkClient {
  return new NetlinkClient(withNetns(netns, () => openNetlinkSocket(NETLINK_NETFILTER)));
}

kernelTest("requests to nf_tables make what our decoder and nft read back", () => {
  using scratch = scratchNetns("host");
  const host = scratch.get("host");
  using client = filters(host);
  client.executeTogether(BATCH_BEGIN, MAKE, BATCH_END);
  assert.deepEqual(client.dump(dumpChains(), decodeChain), [
    { table: "t", name: "from-lo", devices: ["lo"] },
  ]);
  assert.deepEqual(client.dump(dumpRules("t"), decodeRule), [
    { table: "t", chain: "from-lo", expressions: RULE, packets: 0n },
  ]);
  assert.match(host.run("nft", "list", "table", "netdev", "t"), /device "lo" priority/);
  client.executeTogether(BATCH_BEGIN, [deleteChain("t", "from-lo")], BATCH_END);
  assert.deepEqual(client.dump(dumpRules("t"), decodeRule), []);
  client.executeTogether(BATCH_BEGIN, [deleteTable("t")], BATCH_END);
  assert.equal(host.run("nft", "list", "tables"), "");
  assert.equal(refusal(() => client.get(getTable("t"), () => {})).errnoName, "ENOENT");
});

kernelTest("executeTogether() has all of it or nothing, and nothing without an end", () => {
  using scratch = scratchNetns("host");
  const host = scratch.get("host");
  using client = filters(host);
  const spoilt = [...MAKE, addRule("t", "nowhere", RULE), deleteTable("none")];
  const found = refusal(() => client.executeTogether(BATCH_BEGIN, spoilt, BATCH_END));
  assert.deepEqual([found.errnoName, found.requestIndex], ["ENOENT", 3]);
  client.executeTogether(BATCH_BEGIN, MAKE);
  assert.equal(host.run("nft", "list", "tables"), "");
  // The socket goes on working, whatever was said of the rest.
  client.executeTogether(BATCH_BEGIN, MAKE, BATCH_END);
  assert.notEqual(host.run("nft", "list", "tables"), "");
});

kernelTest("executeTogether() carries out a hundred requests in one datagram", () => {
  using scratch = scratchNetns("host");
  const host = scratch.get("host");
  using client = filters(host);
  const many = [...MAKE, ...Array.from({ length: 97 }, () => addRule("t", "from-lo", RULE))];
  client.executeTogether(BATCH_BEGIN, many, BATCH_END);
  assert.equal(client.dump(dumpRules("t"), decodeRule).length, 98);
});
