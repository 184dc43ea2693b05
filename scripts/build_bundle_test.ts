import { strictEqual } from "node:assert/strict";
import { importLate } from "./build_bundle.ts";

const CASES: readonly (readonly [string, string, string])[] = [
  [
    "hides what is named",
    'await import("./src/cli/main.js");',
    'await import(String("./src/cli/main.js"));',
  ],
  [
    "finds each",
    'f(import("./a.js"), import("../b.js"))',
    'f(import(String("./a.js")), import(String("../b.js")))',
  ],
  ["leaves static imports", 'import { a } from "./a.js";', 'import { a } from "./a.js";'],
  ["leaves what is Deno's own", 'await import("node:tls")', 'await import("node:tls")'],
  ["leaves what is worked out", "await import(name)", "await import(name)"],
];

for (const [what, module, expected] of CASES) {
  Deno.test(`importLate() ${what}`, () => strictEqual(importLate(module), expected));
}
