import assert from "node:assert/strict";
import { hash32, hashHex } from "./hash.ts";

// Pinned for ever: interface indexes and MACs of running workloads derive from these. Computed by
// a second implementation of FNV-1a over UTF-16 units with murmur3's fmix32.
const PINNED: readonly (readonly [string, number, number])[] = [
  ["", 0xab3e7c0b, 0xe0bcff2b],
  ["a", 0x1a80b1b3, 0xe6db3b26],
  ["pod1", 0x409bbacb, 0x9bdf3bec],
  ["node-1/pod1", 0xd379e09c, 0x14113c4d],
  ["vx222", 0xdaaea034, 0x6c9b28b7],
  ["x".repeat(63), 0xf56070a9, 0x958cc5c6],
  ["é", 0xbaf79669, 0xd80cf333],
  ["😀", 0x6a85a426, 0xae7def1b],
];

Deno.test("hash32() never changes for an input", () => {
  for (const [text, plain, seeded] of PINNED) {
    assert.equal(hash32(text), plain, JSON.stringify(text));
    assert.equal(hash32(text, 1), seeded, `${JSON.stringify(text)} with seed 1`);
  }
});

Deno.test("hash32() spreads names that differ by a digit evenly over its top bits", () => {
  const buckets = new Array<number>(64).fill(0);
  for (let spoke = 0; spoke < 6400; spoke++) {
    const bucket = hash32(`spoke${spoke}`) >>> 26;
    buckets[bucket] = buckets[bucket]! + 1;
  }
  // 100 each on average; a fair draw stays within six standard deviations.
  assert.ok(Math.min(...buckets) > 40 && Math.max(...buckets) < 160, buckets.join(" "));
});

Deno.test("hashHex() never changes for an input", () => {
  assert.equal(hashHex("pod1", 1), "4");
  assert.equal(hashHex("pod1", 8), "409bbacb");
  assert.equal(hashHex("pod1", 10), "409bbacb70");
  assert.equal(hashHex("pod1", 32), "409bbacb70f21ec8f92f1f58a70a790f");
  assert.equal(hashHex("node-1/pod1", 24), "d379e09c9f37721bc3a2f230");
});

Deno.test("hashHex() keeps leading zeros", () => {
  for (let at = 0; at < 200; at++) assert.match(hashHex(`spoke${at}`, 12), /^[0-9a-f]{12}$/);
});
