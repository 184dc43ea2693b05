import assert from "node:assert/strict";
import { randomInts } from "../../tests/support/random.ts";
import { formatIp, isIpv6Multicast, multicastScope, parseIp, parsePrefix } from "./ip.ts";

Deno.test("parseIp() gives the bytes of both families", () => {
  assert.deepEqual(parseIp("192.0.2.7"), Uint8Array.of(192, 0, 2, 7));
  const expected = new Uint8Array(16);
  expected.set([0xff, 0x02]);
  expected[15] = 0x14;
  assert.deepEqual(parseIp("ff02::14"), expected);
});

Deno.test("formatIp() writes what RFC 5952 asks for", () => {
  const table: readonly (readonly [string, string])[] = [
    // 4.1 leading zeros
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:0:0", "2001:db8::"],
    // 4.2.1 as short as possible
    ["2001:db8::0:1", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    // 4.2.2 a single zero group is not shortened
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    // 4.2.3 the longest run, and the first of equal ones
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:1:0:0:0:0:0", "0:0:1::"],
    // 4.3 lower case
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    ["::", "::"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    // Dotted tail, RFC 4291 2.2 (3)
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:255.255.255.255", "::ffff:ffff:ffff"],
    ["192.0.2.0", "192.0.2.0"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
  ];
  for (const [text, expected] of table) assert.equal(formatIp(parseIp(text)), expected, text);
});

Deno.test("formatIp() is undone by parseIp(), also with runs of zeros", () => {
  const random = randomInts(1);
  for (let round = 0; round < 2000; round++) {
    const bytes = new Uint8Array(round % 4 === 0 ? 4 : 16);
    for (let at = 0; at < bytes.length; at += 2) {
      // Two groups of three are zero, so that all shapes of "::" come up.
      const group = random(3) === 0 ? random(0x1_0000) : 0;
      bytes[at] = group >> 8;
      bytes[at + 1] = group & 0xff;
    }
    const text = formatIp(bytes);
    assert.deepEqual(parseIp(text), bytes, text);
    assert.equal(formatIp(parseIp(text)), text);
  }
});

Deno.test("parseIp() refuses what is not an address and quotes it", () => {
  const bad = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.-4",
    "1.2.3.4 ",
    "0x1.2.3.4",
    ":",
    ":::",
    "1::2::3",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1::2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "::1.2.3",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1%eth0",
    "[::1]",
    "2001:db8::/32",
    "node1",
  ];
  for (const text of bad) {
    assert.throws(() => parseIp(text), (error: Error) => {
      assert.equal(error.name, "SyntaxError");
      assert.equal(error.message, `"${text}" is not an IP address`);
      return true;
    }, JSON.stringify(text));
  }
});

Deno.test("parsePrefix() takes address and length apart", () => {
  assert.deepEqual(parsePrefix("192.0.2.7/24"), { address: "192.0.2.7", length: 24 });
  assert.deepEqual(parsePrefix("0.0.0.0/0"), { address: "0.0.0.0", length: 0 });
  assert.deepEqual(parsePrefix("2001:db8::7/128"), { address: "2001:db8::7", length: 128 });
});

Deno.test("parsePrefix() refuses a missing, foreign or too long length", () => {
  const bad = [
    "192.0.2.7",
    "192.0.2.7/",
    "192.0.2.7/33",
    "2001:db8::7/129",
    "192.0.2.7/-1",
    "192.0.2.7/24/8",
    "192.0.2.7/024",
    "192.0.2.7/ 24",
    "192.0.2.7/255.255.255.0",
    "/24",
    "node1/24",
  ];
  for (const text of bad) assert.throws(() => parsePrefix(text), SyntaxError, text);
});

Deno.test("isIpv6Multicast() is true for ff00::/8 alone", () => {
  for (const text of ["ff02::14", "ff05::1:3", "FF00::", "ffff::"]) {
    assert.equal(isIpv6Multicast(text), true, text);
  }
  for (const text of ["fe80::1", "2001:db8::1", "::", "239.0.0.1"]) {
    assert.equal(isIpv6Multicast(text), false, text);
  }
});

Deno.test("multicastScope() is the fourth hexadecimal digit", () => {
  const table: readonly (readonly [string, number])[] = [
    ["ff01::1", 1],
    ["ff02::14", 2],
    ["ff05::14", 5],
    ["ff08::14", 8],
    ["ff0e::14", 14],
    ["ff15::14", 5],
  ];
  for (const [text, scope] of table) assert.equal(multicastScope(text), scope, text);
});
