import { deepEqual, equal, throws } from "node:assert/strict";
import { JsonLines } from "./json_lines.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("JsonLines gives the values of a text, however it is cut", () => {
  const values = [{ a: "é\n😀" }, [1, 2], "x".repeat(50), null];
  const whole = bytes(values.map((value) => `${JSON.stringify(value)}\n`).join("\n"));
  for (let size = 1; size <= whole.length; size++) {
    const lines = new JsonLines(1_000);
    const found: unknown[] = [];
    for (let at = 0; at < whole.length; at += size) {
      found.push(...lines.push(whole.subarray(at, at + size)));
    }
    lines.end();
    deepEqual(found, values);
  }
});

Deno.test("JsonLines keeps no more than its limit, in one piece or many", () => {
  const fault = { code: "ApiServerGarbled" };
  throws(() => new JsonLines(10).push(bytes("12345678901")), fault);
  const lines = new JsonLines(10);
  for (let n = 0; n < 10; n++) lines.push(bytes("1"));
  throws(() => lines.push(bytes("1")), fault);
});

Deno.test("JsonLines.end() throws in the middle of a line", () => {
  const lines = new JsonLines(100);
  deepEqual(lines.push(bytes('{}\n{"a"')), [{}]);
  throws(() => lines.end(), /middle of a line, found "{\\"a\\""/);
});

Deno.test("JsonLines takes a long line in little pieces in linear time", () => {
  const lines = new JsonLines(4 << 20);
  const piece = bytes("1".repeat(1_000));
  for (let n = 0; n < 4_000; n++) equal(lines.push(piece).length, 0);
  equal(lines.push(bytes("\n")).length, 1);
});
