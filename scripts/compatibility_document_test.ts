import assert from "node:assert/strict";
import { deviations, EXCEPTIONS, expectedOf } from "../tests/support/compatibility/expectations.ts";
import { allCells } from "../tests/support/compatibility/matrix.ts";
import { renderCompatibility } from "./compatibility_document.ts";

Deno.test("renderCompatibility() says of each cell what became of it, and each reason once", () => {
  const text = renderCompatibility(expectedOf);
  const cells = text.split("\n").filter((line) => line.startsWith("|"))
    .flatMap((line) => line.split("|").slice(2, -1).map((cell) => cell.trim()));
  const yes = allCells().filter((cell) => expectedOf(cell) === "works");
  assert.equal(cells.filter((cell) => cell === "yes").length, yes.length);
  const reasons = text.split("\n").filter((line) => /^\d+\. /.test(line));
  assert.deepEqual(reasons.map((line) => parseInt(line)), EXCEPTIONS.map((_, at) => at + 1));
  assert.ok(text.split("\n").every((line) => line.startsWith("|") || line.length <= 100));
});

Deno.test("renderCompatibility() claims nothing that nobody has measured", () => {
  const text = renderCompatibility(() => undefined);
  assert.doesNotMatch(text, /\| yes/);
  assert.match(text, /\| unknown/);
});

Deno.test("deviations() name the cell, what was found and what was expected", () => {
  assert.deepEqual(deviations(expectedOf), []);
  const found = deviations((cell) =>
    cell.subject === "vethVm" && cell.traffic === "lldp" && cell.path === "near"
      ? "works"
      : expectedOf(cell)
  );
  assert.deepEqual(found, ["vethVm, lldp, near: works, not lost"]);
});
