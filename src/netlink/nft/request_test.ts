import assert from "node:assert/strict";
import { hex, toHex } from "../../../tests/support/hex.ts";
import change from "../testdata/nft_change.hex" with { type: "text" };
import chain from "../testdata/nft_chain.hex" with { type: "text" };
import rules from "../testdata/nft_rules.hex" with { type: "text" };
import { decodeMessages, type Request } from "../wire/message.ts";
import { NLM_F_ACK } from "../wire/constants.ts";
import type { Expression } from "./expression.ts";
import {
  addChain,
  addRule,
  addTable,
  BATCH_BEGIN,
  BATCH_END,
  createChain,
  decodeChain,
  decodeRule,
  deleteChain,
} from "./request.ts";

const ETHERNET: readonly Expression[] = [
  { expr: "iiftype" },
  { expr: "cmp", op: 0, value: "0100" },
];
const DROP: readonly Expression[] = [{ expr: "counter" }, { expr: "drop" }];
/** `ether saddr != 02:aa:bb:cc:dd:01 counter drop` */
const PIN: readonly Expression[] = [
  ...ETHERNET,
  { expr: "ether", offset: 6, length: 6 },
  { expr: "cmp", op: 1, value: "02aabbccdd01" },
  ...DROP,
];
/** `ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 limit rate over 100/second burst 100 packets counter drop` */
const LIMIT: readonly Expression[] = [
  ...ETHERNET,
  { expr: "ether", offset: 0, length: 6 },
  { expr: "and", mask: "010000000000" },
  { expr: "cmp", op: 1, value: "000000000000" },
  { expr: "over", rate: 100, burst: 100 },
  ...DROP,
];

Deno.test("requests that replace a chain are those that nft sends, byte by byte", () => {
  const requests: readonly Request[] = [
    BATCH_BEGIN,
    addTable("k8slan"),
    addChain("k8slan", "from-p1.b"),
    deleteChain("k8slan", "from-p1.b"),
    createChain("k8slan", "from-p1.b", "p1.b"),
    addRule("k8slan", "from-p1.b", PIN),
    addRule("k8slan", "from-p1.b", LIMIT),
    BATCH_END,
  ];
  // Only whether an answer is asked for differs.
  const ours = requests.map(({ type, flags, payload }) => [
    ...[type, flags & ~NLM_F_ACK, toHex(payload)],
  ]);
  const nft = [...decodeMessages(hex(change))].map(({ type, flags, payload }) => [
    ...[type, flags, toHex(payload)],
  ]);
  assert.deepEqual(ours, nft);
});

Deno.test("decodeRule() reads what the kernel tells of rules", () => {
  const found = [...decodeMessages(hex(rules))].map(({ payload }) => decodeRule(payload));
  assert.deepEqual(found, [
    { table: "k8slan", chain: "from-p1.b", expressions: PIN, packets: 0n },
    { table: "k8slan", chain: "from-p1.b", expressions: LIMIT, packets: 0n },
  ]);
});

Deno.test("decodeChain() reads what the kernel tells of a chain", () => {
  const [message] = decodeMessages(hex(chain));
  assert.deepEqual(decodeChain(message!.payload), {
    table: "k8slan",
    name: "from-p1.b",
    devices: ["p1.b"],
  });
});

Deno.test("decodeRule() does not take another rule for one of ours", () => {
  const table: readonly (readonly [string, string, string])[] = [
    ["another register", "08 00 01 00 00 00 00 01 08 00 02 00 00 00 00 01 10 00 03", "02"],
    ["another verdict", "0c 00 02 00 08 00 01 00 00 00 00 00", "01"],
  ];
  for (const [what, pattern, digit] of table) {
    const bytes = toHex(hex(rules));
    const at = bytes.indexOf(pattern.replaceAll(" ", ""));
    assert.ok(at > 0, what);
    const place = what === "another verdict" ? at + 22 : at + 14;
    const changed = bytes.slice(0, place) + digit + bytes.slice(place + 2);
    const [message] = decodeMessages(Uint8Array.fromHex(changed));
    const kinds = decodeRule(message!.payload).expressions.map(({ expr }) => expr);
    assert.ok(kinds.includes("other"), `${what}: ${kinds}`);
  }
});

Deno.test("decodeRule() takes anything without failing", () => {
  const bytes = hex(rules).subarray(16);
  for (let length = 0; length < bytes.length; length++) decodeRule(bytes.subarray(0, length));
});
