import assert from "node:assert/strict";
import { CniError } from "./cni_error.ts";
import {
  checkVerb,
  decodeObject,
  ipamType,
  networkName,
  prevResult,
  specVersion,
  SUPPORTED_VERSIONS,
} from "./config.ts";

function decode(text: string) {
  return decodeObject(new TextEncoder().encode(text));
}

function refuses(run: () => unknown, code: number, text: RegExp) {
  assert.throws(run, (error) => {
    assert.ok(error instanceof CniError);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  });
}

Deno.test("decodeObject() refuses what is not a JSON object, with code 6", () => {
  for (const text of ["", "{", "nonsense", "[]", "null", '"x"', "1", '{"a":1}{"b":2}']) {
    refuses(() => decode(text), 6, /stdin is not/);
  }
  refuses(() => decodeObject(Uint8Array.of(0x7b, 0xff, 0x7d)), 6, /UTF-8/);
});

Deno.test("decodeObject() refuses deep nesting, and counts no brackets inside strings", () => {
  const nested = (depth: number) => '{"a":' + "[".repeat(depth) + "]".repeat(depth) + "}";
  decode(nested(63));
  refuses(() => decode(nested(64)), 6, /deeper than 64/);
  refuses(() => decode('{"a":' + "[".repeat(200_000)), 6, /deeper than 64/);
  decode(`{"a":"\\"${"[{".repeat(200)}"}`);
});

Deno.test("decodeObject() reads own properties only", () => {
  const config = decode('{"__proto__":{"cniVersion":"1.0.0","name":"x","ipam":{"type":"x"}}}');
  refuses(() => specVersion(config), 1, /missing/);
  refuses(() => networkName(config), 7, /missing/);
  assert.equal(ipamType(config), undefined);
  assert.equal(Object.hasOwn(Object.prototype, "cniVersion"), false);
});

Deno.test("specVersion() takes the supported versions and lists them otherwise", () => {
  for (const version of SUPPORTED_VERSIONS) {
    assert.equal(specVersion({ cniVersion: version }), version);
  }
  for (const cniVersion of ["", "0.1.0", "0.2.0", "0.5.0", "1.0", "1.2.0", "v1.0.0"]) {
    refuses(() => specVersion({ cniVersion }), 1, /is not supported/);
  }
  for (const config of [{}, { cniVersion: null }]) {
    assert.throws(() => specVersion(config), {
      details: /0\.3\.0, 0\.3\.1, 0\.4\.0, 1\.0\.0, 1\.1\.0/,
    });
  }
  for (const cniVersion of [1, {}, ["1.0.0"], true]) {
    refuses(() => specVersion({ cniVersion }), 6, /not a string/);
  }
});

Deno.test("checkVerb() knows since when there is a verb", () => {
  const first: Readonly<Record<string, string>> = {
    ADD: "0.3.0",
    DEL: "0.3.0",
    CHECK: "0.4.0",
    STATUS: "1.1.0",
    GC: "1.1.0",
  };
  for (const [verb, since] of Object.entries(first)) {
    for (const version of SUPPORTED_VERSIONS) {
      if (version >= since) checkVerb(version, verb);
      else {refuses(
          () => checkVerb(version, verb),
          1,
          new RegExp(`"${version}" does not have ${verb}`),
        );}
    }
  }
});

Deno.test("networkName() refuses what runtimes refuse", () => {
  for (const name of ["lan1", "a.b-c_d", "0"]) assert.equal(networkName({ name }), name);
  for (const name of [undefined, null, "", "-a", "a/b", "a b", 1, {}]) {
    refuses(() => networkName({ name }), 7, /name of the network/);
  }
});

Deno.test("ipamType() takes a file name and nothing else", () => {
  assert.equal(ipamType({ ipam: { type: "host-local" } }), "host-local");
  for (const ipam of [undefined, null, {}, { type: "" }, { type: null }]) {
    assert.equal(ipamType({ ipam }), undefined);
  }
  for (const type of ["/bin/sh", "../x", "a/b", ".", "..", 1, ["x"]]) {
    refuses(() => ipamType({ ipam: { type } }), 7, /ipam\.type/);
  }
  for (const ipam of ["host-local", [], 1]) refuses(() => ipamType({ ipam }), 7, /ipam is not/);
});

Deno.test("prevResult() refuses what is no object", () => {
  assert.equal(prevResult({}), undefined);
  assert.deepEqual(prevResult({ prevResult: {} }), {});
  for (const value of ["x", [], 1]) {
    refuses(() => prevResult({ prevResult: value }), 7, /prevResult/);
  }
});
