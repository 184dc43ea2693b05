import assert from "node:assert/strict";
import type { Expression } from "../netlink/nft/expression.ts";
import type { PortFilter } from "../plan/protection.ts";
import { filterRules, readFilter } from "./filter_rules.ts";

const MAC = "02:aa:bb:cc:dd:01";
const BOTH: PortFilter = { mac: MAC, broadcast: { rate: 100, burst: 100 } };

Deno.test("readFilter() reads back what filterRules() makes", () => {
  const table: readonly PortFilter[] = [
    { mac: MAC },
    { broadcast: { rate: 1, burst: 20 } },
    BOTH,
  ];
  for (const filter of table) assert.deepEqual(readFilter(filterRules(filter)), filter);
});

Deno.test("readFilter() sees through rules that were changed", () => {
  const [pin = [], limit = []] = filterRules(BOTH);
  const replaced = (rule: Expression[], by: Expression) =>
    rule.map((expression) => expression.expr === by.expr ? by : expression);
  const table: readonly (readonly [string, Expression[][]])[] = [
    ["another order", [limit, pin]],
    ["twice", [pin, pin, limit]],
    ["nothing dropped", [pin.slice(0, -1), limit]],
    ["one bit only", [pin, replaced(limit, { expr: "and", mask: "ff0000000000" })]],
    ["an address compared otherwise", [
      replaced(pin, { expr: "cmp", op: 0, value: "02aabbccdd01" }),
    ]],
    ["somebody's own", [[{ expr: "other", name: "log" }], pin, limit]],
  ];
  for (const [what, rules] of table) assert.equal(readFilter(rules), "damaged", what);
});

Deno.test("readFilter() of no rules is no filter", () => {
  assert.deepEqual(readFilter([]), {});
});
