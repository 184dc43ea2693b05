import assert from "node:assert/strict";
import { layerViolations, scanImports } from "./layers.ts";

Deno.test("scanImports() tells values, types and dynamic imports apart", () => {
  const text = `/** Text from "nowhere". */
import assert from "node:assert/strict";
import { a, type B } from "./a.ts";
import { type C, type D } from "./b.ts";
import type { E } from "./c.ts";
import {
  f,
  g,
} from "./d.ts";
import "./e.ts";
export { h } from "./f.ts";
export type * from "./g.ts";
export function load() {
  // taken from "elsewhere"
  return import("./h.ts");
}
`;
  assert.deepEqual(scanImports(text).map(({ specifier, kind }) => `${kind} ${specifier}`), [
    "value node:assert/strict",
    "value ./a.ts",
    "type ./b.ts",
    "type ./c.ts",
    "value ./d.ts",
    "value ./e.ts",
    "value ./f.ts",
    "type ./g.ts",
    "dynamic ./h.ts",
  ]);
});

function check(files: Record<string, string>): readonly string[] {
  return layerViolations(new Map(Object.entries(files))).map(({ file, specifier, rule }) =>
    `${file} ${specifier}: ${rule}`
  );
}

Deno.test("layerViolations() accepts what the table allows", () => {
  assert.deepEqual(
    check({
      "main.ts": `const { cniMain } = await import("./src/cni/main.ts");`,
      "src/version.ts": `import config from "../deno.json" with { type: "json" };`,
      "src/api/lan.ts":
        `import { z } from "zod";\nimport { K8slanError } from "../base/errors.ts";`,
      "src/kernel/kernel.ts": `import type { Lan } from "../api/lan.ts";`,
      "src/cni/main.ts":
        `import { MAX } from "../api/names.ts";\nimport { verb } from "./verbs.ts";`,
      "src/cli/main.ts": `import { Command } from "commander";\nawait import("../agent/main.ts");`,
      "src/base/errors_test.ts": `import { anything } from "../agent/main.ts";`,
    }),
    [],
  );
});

const FORBIDDEN: readonly (readonly [string, string, string])[] = [
  ["src/base/log.ts", `import { Lan } from "../api/lan.ts";`, `"base" may import: none`],
  ["src/netlink/wire/a.ts", `import * as z from "zod";`, `"netlink" may import these packages`],
  ["src/plan/diff.ts", `import { x } from "../netlink/a.ts";`, `"plan" may import: base, api`],
  ["src/kernel/linux.ts", `import { lan } from "../api/lan.ts";`, `"kernel" may import: base`],
  ["src/cni/main.ts", `import { lan } from "../api/lan.ts";`, `"cni" may import: base`],
  ["src/cli/main.ts", `import { run } from "../agent/main.ts";`, `"cli" may import: base`],
  ["src/agent/main.ts", `await import("../cli/main.ts");`, `"agent" may import dynamically`],
  ["src/kube/x.ts", `await import("yaml");`, "a module of ours imports a package"],
  ["src/misc/x.ts", `import "./y.ts";`, `folder "misc" has no row`],
  ["main.ts", `import { cliMain } from "./src/cli/main.ts";`, `"../main.ts" may import: none`],
];

for (const [file, text, expected] of FORBIDDEN) {
  Deno.test(`layerViolations() refuses in ${file}: ${text}`, () => {
    const [first = "no violation"] = check({ [file]: text });
    assert.ok(first.includes(expected), first);
  });
}

Deno.test("layerViolations() refuses a node: module that a CNI call would load", () => {
  const light = { "src/cni/main.ts": `import { ip } from "../base/ip.ts";` };
  assert.deepEqual(
    check({ ...light, "src/base/ip.ts": `import { isIP } from "node:net";` }),
    [`src/base/ip.ts node:net: "src/cni/main.ts" must start without it`],
  );
  assert.deepEqual(check({ ...light, "src/base/ip.ts": `await import("node:net");` }), []);
});
