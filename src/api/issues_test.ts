import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { describeIssues, formatPath, quote } from "./issues.ts";

const paths: readonly (readonly [readonly PropertyKey[], string])[] = [
  [[], ""],
  [["spec", "spokes", 3], "spec.spokes[3]"],
  [["spec", "vxlanDevMap", "node-1.example"], 'spec.vxlanDevMap["node-1.example"]'],
  [["items", 0, "a b"], 'items[0]["a b"]'],
  [["\u001b[31m"], '["\\u001b[31m"]'],
  [[0, "a"], "[0].a"],
];

Deno.test("formatPath() writes paths as people do", () => {
  deepStrictEqual(paths.map(([path]) => formatPath(path)), paths.map(([, text]) => text));
});

const values: readonly (readonly [unknown, string])[] = [
  ["a", '"a"'],
  ['say "x"', '"say \\"x\\""'],
  ["é\u202e\u007f\n", '"\\u00e9\\u202e\\u007f\\n"'],
  ["x".repeat(100), `"${"x".repeat(64)}…"`],
  [5, "5"],
  [null, "null"],
  [["a", "b"], "a list of 2"],
  [{}, "an object"],
];

Deno.test("quote() keeps values short and printable", () => {
  deepStrictEqual(values.map(([value]) => quote(value)), values.map(([, text]) => text));
});

Deno.test("describeIssues() tells the first ten, and how many more", () => {
  const issues = Array.from({ length: 12 }, (_, at) => ({ path: `a[${at}]`, message: "is bad" }));
  strictEqual(describeIssues(issues.slice(0, 2)), "a[0] is bad; a[1] is bad");
  strictEqual(describeIssues([{ path: "", message: "is bad" }]), "is bad");
  strictEqual(describeIssues(issues).endsWith("a[9] is bad; and 2 more"), true);
});
