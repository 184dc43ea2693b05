import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

const CASES: readonly (readonly [file: string, text: string, rules: readonly string[]])[] = [
  ["src/kernel/linux.ts", `export const f = () => Deno.dlopen("x", {});`, ["house/ffi-in-sys"]],
  ["src/sys/libc.ts", `export const f = () => Deno.dlopen("x", {});`, []],
  ["src/agent/main.ts", `export const f = () => new Deno.Command("ip");`, ["house/no-subprocess"]],
  ["src/cluster/program_start.ts", `export const f = () => new Deno.Command("k8slan");`, []],
  ["src/cni/ipam.ts", `export const f = () => new Deno.Command("x");`, []],
  ["src/plan/diff.ts", `export const f = () => Deno.pid;`, ["house/pure-folders"]],
  ["src/plan/diff_test.ts", `export const f = () => Deno.pid;`, []],
  ["src/agent/main.ts", `export const f = () => Deno.pid;`, []],
  ["src/agent/main.ts", `start();`, ["house/import-does-nothing"]],
  ["src/agent/main.ts", `export const x = await start();`, ["house/import-does-nothing"]],
  ["src/agent/main.ts", `const x = await start();`, ["house/import-does-nothing"]],
  ["src/agent/main.ts", `export const f = async () => await start();`, []],
  ["src/agent/main.ts", `export async function f() { await start(); }`, []],
  ["scripts/build.ts", `start(new Deno.Command("x"));`, []],
];

for (const [file, text, rules] of CASES) {
  Deno.test(`lint plugin says ${rules.join(", ") || "nothing"} about ${file}: ${text}`, () => {
    const found = Deno.lint.runPlugin(plugin, file, text).map((diagnostic) => diagnostic.id);
    assert.deepEqual(found, rules);
  });
}
