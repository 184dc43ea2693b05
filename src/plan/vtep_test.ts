import assert from "node:assert/strict";
import { sortPeers, vtepAddress } from "./vtep.ts";

Deno.test("vtepAddress() writes an address that a node can have as the kernel does", () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ["2001:db8::1", "2001:db8::1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["fd00::1", "fd00::1"],
    ["fe80::1", "fe80::1"],
    ["::", undefined],
    ["::1", undefined],
    ["::192.0.2.1", undefined],
    ["::ffff:192.0.2.1", undefined],
    ["192.0.2.1", undefined],
    ["ff02::14", undefined],
    ["fe80::1%eth0", undefined],
    ["2001:db8::1/64", undefined],
    ["worker1", undefined],
    ["", undefined],
  ];
  for (const [text, address] of table) assert.equal(vtepAddress(text), address, text);
});

Deno.test("sortPeers() leaves out this node, whichever of its addresses is named, and what is named twice", () => {
  const own = ["2001:db8::1", "2001:db8::2", "fe80::1"];
  const peers = ["2001:db8::4", "2001:DB8::3", "2001:db8::2", "2001:db8:0::3", "fe80::1"];
  assert.deepEqual(sortPeers(peers, own), {
    reachable: ["2001:db8::3", "2001:db8::4"],
    outOfReach: [],
  });
});

Deno.test("sortPeers() tells who cannot be reached from an address of the other kind", () => {
  const peers = ["fe80::2", "2001:db8::2", "fd00::2"];
  assert.deepEqual(sortPeers(peers, ["fe80::1"]), {
    reachable: ["fe80::2"],
    outOfReach: ["2001:db8::2", "fd00::2"],
  });
  assert.deepEqual(sortPeers(peers, ["fd00::1", "fe80::1"]), {
    reachable: ["2001:db8::2", "fd00::2"],
    outOfReach: ["fe80::2"],
  });
});
