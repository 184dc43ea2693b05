import assert from "node:assert/strict";
import { hex } from "../../../tests/support/hex.ts";
import { encodeHeaders, type Header, HpackDecoder } from "./hpack.ts";
import { decodeHuffman } from "./huffman.ts";

const MAX = 10_000;

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return hex(text.replaceAll(/(..)/g, "$1 "));
}

const REQUEST: readonly Header[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/v1beta1.DevicePlugin/Allocate"],
  [":authority", "localhost"],
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-go/1.72.1"],
  ["te", "trailers"],
  ["grpc-timeout", "4999m"],
];

Deno.test("HpackDecoder decodes the blocks of a connection as golang.org/x/net v0.55 wrote them", () => {
  const decoder = new HpackDecoder();
  const first = bytes(
    "8386459663b8632a4615ef97b9885d745b31aa621a28390692ff4186a0e41d139d095f8b1d75d0620d263d4c4d" +
      "65647a8a9acac8b4c7602bba25c340027465864d833505b11f40899acac8b24d494f6a7f8469f7dfa7",
  );
  assert.deepEqual(decoder.decode(first, MAX), REQUEST);
  // By now everything is in the table.
  assert.deepEqual(decoder.decode(bytes("8386c3c2c1c0bfbe"), MAX), REQUEST);
  // With a header that must not enter the table, and with bytes that are no text.
  const third = bytes("8345022f781f0884414961534084f2b466ab040001ff7e40842d35a7d700");
  assert.deepEqual(decoder.decode(third, MAX), [
    [":method", "POST"],
    [":path", "/x"],
    ["authorization", "secret"],
    ["x-bin", "\u0000\u0001\u00ff~"],
    ["empty", ""],
  ]);
  // The table is emptied first.
  assert.deepEqual(decoder.decode(bytes("208305022f7800027465864d833505b11f"), MAX), [
    [":method", "POST"],
    [":path", "/x"],
    ["te", "trailers"],
  ]);
  assert.throws(() => decoder.decode(bytes("be"), MAX), RangeError);
});

Deno.test("HpackDecoder forgets the oldest headers when the table is full", () => {
  const decoder = new HpackDecoder();
  const value = "v".repeat(960); // four to a table of 4096 bytes
  const literal = (name: string) => {
    const [, ...block] = encodeHeaders([[name, value]]);
    return Uint8Array.from([0x40, ...block]);
  };
  for (const name of ["aaaa", "bbbb", "cccc", "dddd", "eeee"]) decoder.decode(literal(name), MAX);
  const names = ["be", "bf", "c0", "c1"].map((index) => decoder.decode(hex(index), MAX)[0]?.[0]);
  assert.deepEqual(names, ["eeee", "dddd", "cccc", "bbbb"]);
  assert.throws(() => decoder.decode(hex("c2"), MAX), RangeError);
});

const BROKEN: Readonly<Record<string, string>> = {
  "an index of 0": "80",
  "an index beyond the table": "be",
  "a name that ends early": "00 05 61",
  "a value that is missing": "00 01 61",
  "a number without an end": "ff ffx9",
  "a number that ends early": "ff 80",
  "a table larger than allowed": "3f e2 1f",
  "the end mark in a Huffman code": "00 01 61 84 ff ff ff ff",
  "a Huffman code filled up with zeros": "00 01 61 81 18",
  "a Huffman code filled up with a whole byte": "00 01 61 82 1f ff",
};

for (const [name, block] of Object.entries(BROKEN)) {
  Deno.test(`HpackDecoder refuses ${name}`, () => {
    assert.throws(() => new HpackDecoder().decode(hex(block), MAX), RangeError);
  });
}

Deno.test("HpackDecoder refuses more headers than it was told to take", () => {
  // One byte each stands for 44.
  assert.equal(new HpackDecoder().decode(hex("83x200"), MAX).length, 200);
  assert.throws(() => new HpackDecoder().decode(hex("83x300"), MAX), RangeError);
});

Deno.test("decodeHuffman() knows the code of every byte", () => {
  // As golang.org/x/net v0.55 encodes 0 to 255.
  const coded = bytes(
    "ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffff" +
      "dfffffebfffffecfffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffd" +
      "bfffffdffffffe3fffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff" +
      "20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d" +
      "68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ffff53fffd5ffffb3fffeb" +
      "7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe" +
      "4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5ff" +
      "feeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8b" +
      "fffe3ffff93ffff87fffcbffff37ffff1fffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7" +
      "fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6fffffc1fffff87ffffe7fffffc5ffffe5fffe" +
      "4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ffffd1ffffcfff" +
      "feaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3" +
      "fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf",
  );
  assert.deepEqual(decodeHuffman(coded), Uint8Array.from({ length: 256 }, (_, i) => i));
});

Deno.test("encodeHeaders() writes what HpackDecoder reads, long values too", () => {
  const headers: Header[] = [
    [":status", "200"],
    ["grpc-message", ""],
    ...[126, 127, 128, 254, 255, 256, 5_000].map((length): Header => ["x", "v".repeat(length)]),
  ];
  assert.deepEqual(new HpackDecoder().decode(encodeHeaders(headers), 100_000), headers);
});
