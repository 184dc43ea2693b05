import assert from "node:assert/strict";
import { type Finding, isMet } from "./finding.ts";
import { document, table } from "./report.ts";
import { type Section, withSection } from "./section.ts";

const BASE: Finding = { what: "x", unit: "ms", ours: 9, other: { name: "Go", value: 10 } };

Deno.test("isMet() compares with the budget, if there is something to compare", () => {
  const rows: readonly (readonly [Partial<Finding>, boolean | undefined])[] = [
    [{}, undefined],
    [{ budget: { most: 9 } }, true],
    [{ budget: { most: 8 } }, false],
    [{ budget: { mostOfOther: 0.9 } }, true],
    [{ budget: { mostOfOther: 0.8 } }, false],
    [{ budget: { leastOfOther: 0.9 } }, true],
    [{ budget: { leastOfOther: 0.98 } }, false],
    [{ ours: 11, budget: { mostAboveOther: 1 } }, true],
    [{ ours: 12, budget: { mostAboveOther: 1 } }, false],
  ];
  for (const [change, expected] of rows) assert.equal(isMet({ ...BASE, ...change }), expected);
  const { other: _, ...alone } = BASE;
  assert.equal(isMet({ ...alone, budget: { mostOfOther: 1 } }), undefined);
});

Deno.test("document() keeps what people wrote behind the figures", () => {
  const former = "# Benchmarks\n\nold\n\n## What falls short (by hand)\n\n- much\n";
  const text = document([["cores", "2"]], [BASE], former);
  assert.ok(text.endsWith("\n\n## What falls short (by hand)\n\n- much\n"), text);
  assert.ok(text.includes("- cores: 2\n") && !text.includes("old"));
  assert.equal(document([], [BASE], "").includes("falls short"), false);
});

Deno.test("withSection() replaces its own section and no other", () => {
  const own: Section = { heading: "## In a cluster", about: "there", notes: "so\n" };
  const others = "# Benchmarks\n\nold\n\n## What falls short (by hand)\n\n- much\n";
  const once = withSection(others, own, [["cores", "2"]], [BASE]);
  assert.ok(once.startsWith(others), once);
  const beside = "\n## What falls short in a cluster (by hand)\n\n- little\n";
  const twice = withSection(once + beside, own, [["cores", "4"]], [BASE]);
  assert.equal(twice, once.replace("cores: 2", "cores: 4") + beside);
  assert.ok(document([], [BASE], twice).endsWith(twice.slice(twice.indexOf("## What"))));
});

Deno.test("table() lines up and says what is missed", () => {
  const findings: readonly Finding[] = [
    { ...BASE, what: "one LAN", budget: { mostOfOther: 1 } },
    { what: "ADD", unit: "ms", ours: 12.34, note: "p99 20 ms", budget: { most: 10 } },
    { what: "path", unit: "Gbit/s", ours: 123.4 },
  ];
  assert.equal(
    table(findings),
    `\
| what    | ours                | compared with | ratio | budget  | met?   |
| ------- | ------------------- | ------------- | ----- | ------- | ------ |
| one LAN | 9.00 ms             | Go 10.0 ms    | 0.90  | ≤ 1 ×   | yes    |
| ADD     | 12.3 ms (p99 20 ms) |               |       | ≤ 10 ms | **no** |
| path    | 123 Gbit/s          |               |       |         |        |`,
  );
});
