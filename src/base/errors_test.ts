import assert from "node:assert/strict";
import { errnoName } from "./errno.ts";
import { describe, K8slanError } from "./errors.ts";

Deno.test("K8slanError carries code, retriability and cause", () => {
  const cause = new Error("inner");
  const error = new K8slanError("SpokeInUse", 'Spoke "pod1" is in use', { retriable: true, cause });
  assert.equal(error.name, "K8slanError");
  assert.equal(error.code, "SpokeInUse");
  assert.equal(error.retriable, true);
  assert.equal(error.cause, cause);
  assert.ok(error instanceof Error);
});

Deno.test("K8slanError is not retriable and has no cause unless told so", () => {
  const error = new K8slanError("Refused", "No");
  assert.equal(error.retriable, false);
  assert.equal("cause" in error, false);
});

Deno.test("describe() gives the text of an error and its causes on one line", () => {
  const table: readonly (readonly [string, unknown, string])[] = [
    ["plain error", new Error("Cannot do it"), "Cannot do it"],
    ["cause", new Error("outer", { cause: new Error("inner") }), "outer: inner"],
    [
      "three levels",
      new Error("a", { cause: new Error("b", { cause: new Error("c") }) }),
      "a: b: c",
    ],
    [
      "cause said already",
      new Error("outer (inner)", { cause: new Error("inner") }),
      "outer (inner)",
    ],
    ["cause that is no error", new Error("outer", { cause: "text" }), "outer: text"],
    ["null cause", new Error("outer", { cause: null }), "outer"],
    ["several lines", new Error("one\n  two\r\n\r\nthree"), "one two three"],
    ["text", "just text", "just text"],
    ["number", 42, "42"],
    ["undefined", undefined, ""],
  ];
  for (const [name, error, expected] of table) assert.equal(describe(error), expected, name);
});

Deno.test("describe() ends for a chain of causes that leads back to itself", () => {
  const error = new Error("round");
  error.cause = new Error("and round", { cause: error });
  assert.equal(describe(error), "round: and round");
});

Deno.test("errnoName() names the numbers it knows and prints the others", () => {
  assert.equal(errnoName(17), "EEXIST");
  assert.equal(errnoName(19), "ENODEV");
  assert.equal(errnoName(105), "ENOBUFS");
  assert.equal(errnoName(999), "errno 999");
});
