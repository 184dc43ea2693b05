import { deepStrictEqual } from "node:assert/strict";
import { parseMetrics } from "./agent_figures.ts";

Deno.test("parseMetrics() reads values with and without labels", () => {
  const text = '# HELP a b\n# TYPE a counter\na 1\nb{op="x y"} 0.5\n';
  deepStrictEqual([...parseMetrics(text)], [["a", 1], ['b{op="x y"}', 0.5]]);
});
