import assert from "node:assert/strict";
import { SPOKES_MAX } from "../api/names.ts";
import { isUnicastMac } from "../base/mac.ts";
import { anonymousPortName, BRIDGE_INDEX, derivedMac, portName, tapIndex } from "./identity.ts";

/**
 * Values that running nodes depend on: kubelet replays `/dev/tapN` from its own records, and
 * neighbours know the addresses. A change of any is a change of the contract.
 */
Deno.test("tapIndex() gives the same index for ever", () => {
  const pinned: readonly (readonly [string, string, number, number])[] = [
    ["worker1", "pod1", 0, 143515682],
    ["worker1", "pod1", 1, 1631425340],
    ["worker2", "pod1", 0, 796651440],
    ["worker1", "pod2", 0, 161105779],
    ["node-1.example.org", "abcdefghijklm", 63, 2022707837],
  ];
  for (const [node, spoke, probe, index] of pinned) {
    assert.equal(tapIndex(node, spoke, probe), index, `${node} ${spoke} ${probe}`);
  }
});

Deno.test("derivedMac() gives the same address for ever", () => {
  assert.equal(derivedMac("0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90", "pod1"), "02:35:ea:f6:66:1a");
  assert.equal(derivedMac("uid", "worker1", "bridge"), "02:62:80:be:0e:73");
});

Deno.test("anonymousPortName() gives the same name for ever", () => {
  assert.equal(anonymousPortName("c0ffee", "net1"), "_adce2a235cd.b");
});

Deno.test("tapIndex() spreads three nodes with 4095 spokes each over the whole range", () => {
  const indexes: number[] = [];
  for (const node of ["worker1", "worker2", "worker3"]) {
    for (let at = 1; at <= SPOKES_MAX; at++) indexes.push(tapIndex(node, `pod${at}`, 0));
  }
  const max = 2 ** 31 - 1;
  for (const index of indexes) {
    assert.ok(Number.isInteger(index) && index > BRIDGE_INDEX && index <= max, `${index}`);
  }
  // 12,285 of 2.1 thousand million at random: 0.035 pairs expected.
  assert.equal(new Set(indexes).size, indexes.length);
  // 64 equal parts with 192 each expected; chi-squared beyond 120 has a chance below 1 in 10,000.
  const parts = new Array<number>(64).fill(0);
  for (const index of indexes) {
    const part = Math.floor((index - BRIDGE_INDEX) / (max - BRIDGE_INDEX + 1) * 64);
    parts[part] = (parts[part] ?? 0) + 1;
  }
  const expected = indexes.length / 64;
  const chi = parts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  assert.ok(chi < 120, `chi-squared ${chi}`);
});

Deno.test("tapIndex() has another candidate for each probe", () => {
  const candidates = Array.from({ length: 64 }, (_, probe) => tapIndex("worker1", "pod1", probe));
  assert.equal(new Set(candidates).size, 64);
});

Deno.test("tapIndex() tells node and spoke apart wherever they meet", () => {
  assert.notEqual(tapIndex("a", "b-c", 0), tapIndex("a-b", "c", 0));
});

Deno.test("derivedMac() gives local unicast addresses, none twice among 12,285 spokes", () => {
  const addresses = new Set<string>();
  for (const lan of ["one", "two", "three"]) {
    for (let at = 1; at <= SPOKES_MAX; at++) {
      const address = derivedMac(lan, `pod${at}`);
      assert.match(address, /^02(:[0-9a-f]{2}){5}$/);
      assert.ok(isUnicastMac(address));
      addresses.add(address);
    }
  }
  assert.equal(addresses.size, 3 * SPOKES_MAX);
});

Deno.test("portName() and anonymousPortName() fit a link name and never meet", () => {
  assert.equal(portName("abcdefghijklm"), "abcdefghijklm.b");
  const anonymous = anonymousPortName("c".repeat(128), "i".repeat(15));
  for (const name of [portName("abcdefghijklm"), anonymous]) assert.ok(name.length <= 15, name);
  // No spoke starts with an underscore; no bridge or VXLAN has a dot.
  assert.match(anonymous, /^_.*\.b$/);
  assert.notEqual(anonymousPortName("a", "net1"), anonymousPortName("a", "net2"));
});
