import assert from "node:assert/strict";
import { gaugeBy, metric, metricsText } from "./metrics_text.ts";

Deno.test("metricsText() writes what Prometheus reads", () => {
  const text = metricsText([
    metric("counter", "a_total", "As", 3),
    metric("gauge", "b", "Bs", true),
    gaugeBy("kind", "c", "Cs", [["x", 1], ["y", 0.5]]),
    gaugeBy("kind", "d", "None", []),
  ]);
  assert.equal(
    text,
    `# HELP a_total As
# TYPE a_total counter
a_total 3
# HELP b Bs
# TYPE b gauge
b 1
# HELP c Cs
# TYPE c gauge
c{kind="x"} 1
c{kind="y"} 0.5
# HELP d None
# TYPE d gauge
`,
  );
});

Deno.test("metricsText() escapes what would end a line or a label", () => {
  const samples = [{ labels: { one: 'a"b\\c\nd', two: "e" }, value: 1 }];
  assert.equal(
    metricsText([{ name: "a", help: "x\\y\nz", type: "gauge", samples }]),
    '# HELP a x\\\\y\\nz\n# TYPE a gauge\na{one="a\\"b\\\\c\\nd",two="e"} 1\n',
  );
});
