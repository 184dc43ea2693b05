import assert from "node:assert/strict";
import type { AddressInfo } from "../netlink/address.ts";
import { unusableState, vteps } from "./underlay.ts";

function info(address: string, change: Partial<AddressInfo> = {}): AddressInfo {
  return {
    ...{ index: 7, address, length: 64, tentative: false, duplicate: false },
    ...{ deprecated: false, temporary: false, permanent: true, ...change },
  };
}

Deno.test("vteps() takes routed addresses first, whatever order they come in", () => {
  const addresses = [
    info("fe80::1"),
    info("2001:db8::a", { permanent: false }),
    info("2001:db8::1", { length: 128 }),
    info("2001:db8::9"),
    info("fd00::1"),
  ];
  const expected = ["2001:db8::9", "fd00::1", "2001:db8::a", "2001:db8::1", "fe80::1"];
  assert.deepEqual(vteps(addresses), expected);
  assert.deepEqual(vteps(addresses.toReversed()), expected);
});

Deno.test("vteps() goes by the bytes of addresses, not by their text", () => {
  const addresses = [info("2001:db8::10"), info("2001:db8::9"), info("2001:db8:1::1")];
  assert.deepEqual(vteps(addresses), ["2001:db8::9", "2001:db8::10", "2001:db8:1::1"]);
});

Deno.test("vteps() leaves out what is no good, or not for long", () => {
  for (const flag of ["tentative", "duplicate", "deprecated", "temporary"] as const) {
    assert.deepEqual(vteps([info("2001:db8::1", { [flag]: true })]), [], flag);
  }
});

Deno.test("unusableState() tells what came of the check for duplicates, a failed one first", () => {
  const usable = info("2001:db8::1");
  const tentative = info("2001:db8::2", { tentative: true });
  const duplicate = info("2001:db8::3", { tentative: true, duplicate: true });
  assert.equal(unusableState([usable]), undefined);
  assert.equal(unusableState([usable, tentative]), "tentative");
  assert.equal(unusableState([tentative, duplicate]), "duplicate");
});
