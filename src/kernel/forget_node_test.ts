import assert from "node:assert/strict";
import type { ForwardingEntry } from "../netlink/forwarding.ts";
import { forgettable } from "./forget_node.ts";

const VM = "02:00:00:00:00:01";
const BEHIND = "02:00:00:00:00:02";
const OTHER = "02:00:00:00:00:03";

function learned(mac: string, dst: string, change: Partial<ForwardingEntry> = {}): ForwardingEntry {
  return { ...{ index: 7, mac, dst, permanent: false, self: true }, ...change };
}

const TABLE: readonly ForwardingEntry[] = [
  learned("00:00:00:00:00:00", "fe80::1", { permanent: true }),
  learned(VM, "fe80::1"),
  learned(BEHIND, "fe80::1"),
  learned(OTHER, "fe80::2"),
  { index: 7, mac: OTHER, permanent: false, self: false },
];

/** What is known of the place that was left, and which addresses are forgotten. */
const ROWS = [
  ["all that was learned where the address leads", { mac: VM }, [VM, BEHIND]],
  ["nothing where the address is not known", { mac: "02:00:00:00:00:09" }, []],
  ["all that was learned of the node's address", { mac: VM, vtep: "fe80::2" }, [OTHER]],
  ["nothing of a node that was never heard", { mac: VM, vtep: "fe80::9" }, []],
] as const;
for (const [what, left, macs] of ROWS) {
  Deno.test(`forgettable() has ${what}`, () => {
    assert.deepEqual(forgettable(TABLE, left), macs);
  });
}
