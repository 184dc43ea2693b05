import assert from "node:assert/strict";
import { formatMac, isUnicastMac, parseMac } from "./mac.ts";

Deno.test("parseMac() reads either case, with colons or dashes", () => {
  const bytes = Uint8Array.of(0x02, 0x00, 0x5e, 0x10, 0xab, 0xff);
  for (const text of ["02:00:5e:10:ab:ff", "02:00:5E:10:AB:FF", "02-00-5e-10-ab-ff"]) {
    assert.deepEqual(parseMac(text), bytes, text);
  }
});

Deno.test("parseMac() refuses anything else and quotes it", () => {
  const bad = [
    "",
    "02:00:5e:10:00",
    "02:00:5e:10:00:01:02",
    "02:00:5e:10:00:1",
    "02005e100001",
    "0200.5e10.0001",
    "02:00:5e:10:00:0g",
    " 02:00:5e:10:00:01",
    "02:00:5e:10:00:01\n",
    "02:00-5e:10-00:01",
  ];
  for (const text of bad) {
    assert.throws(() => parseMac(text), (error: Error) => {
      assert.equal(error.name, "SyntaxError");
      assert.equal(error.message, `"${text}" is not an Ethernet address like 02:00:5e:10:00:01`);
      return true;
    }, JSON.stringify(text));
  }
});

Deno.test("formatMac() writes lower case and is the inverse of parseMac()", () => {
  for (const text of ["00:00:00:00:00:00", "02:0a:00:ff:10:01", "ff:ff:ff:ff:ff:ff"]) {
    assert.equal(formatMac(parseMac(text.toUpperCase())), text);
  }
});

Deno.test("isUnicastMac() refuses group addresses and the all-zero one", () => {
  const table: readonly (readonly [string, boolean])[] = [
    ["02:00:00:00:00:01", true],
    ["00:00:00:00:00:01", true],
    ["fe:ff:ff:ff:ff:ff", true],
    ["00:00:00:00:00:00", false],
    ["01:80:c2:00:00:0e", false],
    ["33:33:00:00:00:01", false],
    ["ff:ff:ff:ff:ff:ff", false],
  ];
  for (const [text, expected] of table) assert.equal(isUnicastMac(text), expected, text);
});
