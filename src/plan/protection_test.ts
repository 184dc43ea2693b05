import assert from "node:assert/strict";
import type { LanSpec } from "../api/lan.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { portFilter, type Protection, protectionOf } from "./protection.ts";

const MAC = "02:aa:bb:cc:dd:01";

Deno.test("protectionOf() is what the spec asks for", () => {
  const table: readonly (readonly [Partial<LanSpec>, Protection | undefined])[] = [
    [{}, undefined],
    [{ pinMac: false }, undefined],
    [{ pinMac: true }, { pinMac: true }],
    [{ broadcastLimit: 1 }, { pinMac: false, broadcast: { rate: 1, burst: 20 } }],
    [
      { pinMac: true, broadcastLimit: 500 },
      { pinMac: true, broadcast: { rate: 500, burst: 500 } },
    ],
  ];
  for (const [spec, wanted] of table) {
    assert.deepEqual(protectionOf(seedLan(spec).spec), wanted, JSON.stringify(spec));
  }
});

Deno.test("portFilter() pins only an address that is known", () => {
  const broadcast = { rate: 5, burst: 20 };
  assert.deepEqual(portFilter({ pinMac: true }, MAC), { mac: MAC });
  assert.deepEqual(portFilter({ pinMac: true }, undefined), undefined);
  assert.deepEqual(portFilter({ pinMac: true, broadcast }, undefined), { broadcast });
  assert.deepEqual(portFilter({ pinMac: false, broadcast }, MAC), { broadcast });
});
