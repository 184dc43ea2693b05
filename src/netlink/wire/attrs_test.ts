import assert from "node:assert/strict";
import { hex, toHex } from "../../../tests/support/hex.ts";
import {
  align4,
  AttrWriter,
  readAttrs,
  readBe16,
  readFixed,
  readText,
  readU16,
  readU32,
  readU8,
} from "./attrs.ts";

Deno.test("AttrWriter writes every kind of value, padded to four bytes", () => {
  const written = new AttrWriter()
    .raw(Uint8Array.of(7, 0, 0, 0))
    .u8(1, 0xab)
    .u16(2, 0xabcd)
    .be16(3, 4789)
    .u32(4, 0x89abcdef)
    .be32(9, 0x89abcdef)
    .be64(10, 0x0123456789abcdefn)
    .text(5, "é")
    .bytes(6, Uint8Array.of(1, 2, 3, 4, 5))
    .nested(7, (inner) => inner.u8(1, 1).nested(2, () => {}))
    .u8(8, 1)
    .finish();
  const expected = hex(`
    07 00 00 00               # raw
    05 00 01 00  ab 00 00 00
    06 00 02 00  cd ab 00 00
    06 00 03 00  12 b5 00 00  # network byte order
    08 00 04 00  ef cd ab 89
    08 00 09 00  89 ab cd ef
    0c 00 0a 00  01 23 45 67 89 ab cd ef
    07 00 05 00  c3 a9 00 00  # UTF-8 and NUL
    09 00 06 00  01 02 03 04 05 00 00 00
    10 00 07 80               # nested
      05 00 01 00  01 00 00 00
      04 00 02 80             # nested, empty
    05 00 08 00  01 00 00 00
  `);
  assert.equal(toHex(written), toHex(expected));
});

Deno.test("AttrWriter grows as far as it must", () => {
  const writer = new AttrWriter(4);
  for (let at = 0; at < 1000; at++) writer.u32(at, at);
  writer.nested(1000, (inner) => inner.bytes(1, new Uint8Array(5000).fill(0xee)));
  const attrs = [...readAttrs(writer.finish())];
  assert.deepEqual(attrs.map(({ type }) => type), Array.from({ length: 1001 }, (_, at) => at));
  assert.equal(readU32(attrs[999]!.value), 999);
  const [inner] = [...readAttrs(attrs[1000]!.value)];
  assert.ok(inner!.value.every((byte) => byte === 0xee) && inner!.value.length === 5000);
});

Deno.test("AttrWriter leaves no earlier bytes in the padding", () => {
  // The buffer is fresh, so that padding is zero: the kernel wants that of strict requests.
  const bytes = new AttrWriter(1).text(1, "abcd").text(2, "abcde").finish();
  assert.equal(toHex(bytes), "0900010061626364000000000a000200616263646500" + "0000");
});

Deno.test("readAttrs() drops the flags of a type", () => {
  const [nested, network] = [...readAttrs(hex("04 00 12 80  04 00 12 40"))];
  assert.equal(nested!.type, 0x12);
  assert.equal(network!.type, 0x12);
});

Deno.test("readAttrs() ends where a length does not fit", () => {
  const table: readonly (readonly [string, string, number])[] = [
    ["nothing", "", 0],
    ["less than a header", "08 00 01", 0],
    ["length zero", "00 00 01 00", 0],
    ["length below the header", "03 00 01 00", 0],
    ["length beyond the end", "09 00 01 00  00 00 00 00", 0],
    ["good one, then a bad one", "05 00 01 00  01 00 00 00  ff ff 02 00", 1],
    ["last one without padding", "05 00 01 00  01", 1],
    ["bytes behind the last one", "04 00 01 00  00 00", 1],
  ];
  for (const [name, text, count] of table) {
    assert.equal([...readAttrs(hex(text))].length, count, name);
  }
});

Deno.test("readers of numbers take what a short value has", () => {
  const value = hex("ef cd ab 89");
  const table: readonly (readonly [number, number, number, number, number])[] = [
    // length, u8, u16, be16, u32
    [0, 0, 0, 0, 0],
    [1, 0xef, 0xef, 0xef, 0xef],
    [2, 0xef, 0xcdef, 0xefcd, 0xcdef],
    [4, 0xef, 0xcdef, 0xefcd, 0x89abcdef],
  ];
  for (const [length, u8, u16, be16, u32] of table) {
    const part = value.subarray(0, length);
    assert.deepEqual([readU8(part), readU16(part), readBe16(part), readU32(part)], [
      u8,
      u16,
      be16,
      u32,
    ]);
  }
});

Deno.test("readText() ends at the first NUL, or at the end", () => {
  const table = [["61 62 00 63", "ab"], ["61 62", "ab"], ["00", ""], ["", ""]] as const;
  for (const [bytes, text] of table) assert.equal(readText(hex(bytes)), text, bytes);
});

Deno.test("readFixed() reads what a short message leaves out as zero", () => {
  const backing = hex("ff ff  01 02 03 04  ff ff ff ff");
  assert.equal(readFixed(backing.subarray(2, 6), 4).getUint32(0, true), 0x04030201);
  assert.equal(readFixed(backing.subarray(2, 4), 4).getUint32(0, true), 0x0201);
  assert.equal(readFixed(backing.subarray(2, 2), 4).getUint32(0, true), 0);
});

Deno.test("align4() rounds up", () => {
  assert.deepEqual([0, 1, 4, 5, 16].map(align4), [0, 4, 4, 8, 16]);
});
