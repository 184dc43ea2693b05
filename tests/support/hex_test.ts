import assert from "node:assert/strict";
import { hex, toHex } from "./hex.ts";

Deno.test("hex() reads bytes, repeats and comments", () => {
  const text = `
    0a 00 03 00  6c 6F  # IFLA_IFNAME 00 ff
    00x3 ff
    # nothing
  `;
  assert.equal(toHex(hex(text)), "0a0003006c6f000000ff");
  assert.equal(hex("# empty").length, 0);
});

Deno.test("hex() refuses what is not a byte", () => {
  for (const text of ["a", "0g", "0a0b", "00x", "x3", "00 y"]) {
    assert.throws(() => hex(text), SyntaxError, text);
  }
});
