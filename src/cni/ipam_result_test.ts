import assert from "node:assert/strict";
import { decodeIpamResult, routesToSet } from "./ipam_result.ts";

const EXPECTED = {
  ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }, { address: "2001:db8::7/64" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "2001:db8:1::/48", gw: "2001:db8::1" }],
  dns: { nameservers: ["192.0.2.53"] },
};

Deno.test("decodeIpamResult() understands the form of every specification version", () => {
  const forms = {
    "0.2.0": {
      ip4: { ip: "192.0.2.7/24", gateway: "192.0.2.1", routes: [{ dst: "0.0.0.0/0" }] },
      ip6: { ip: "2001:db8::7/64", routes: [{ dst: "2001:db8:1::/48", gw: "2001:db8::1" }] },
    },
    "0.4.0": {
      ips: [
        { version: "4", address: "192.0.2.7/24", gateway: "192.0.2.1" },
        { version: "6", address: "2001:db8::7/64", gateway: "" },
      ],
      routes: EXPECTED.routes,
    },
    "1.0.0": { ips: EXPECTED.ips, routes: EXPECTED.routes },
  };
  for (const [cniVersion, form] of Object.entries(forms)) {
    const text = JSON.stringify({ cniVersion, ...form, dns: EXPECTED.dns });
    assert.deepEqual(decodeIpamResult(text), EXPECTED);
  }
  assert.deepEqual(decodeIpamResult('{"ips":[{"address":"192.0.2.7/24"}]}'), {
    ips: [{ address: "192.0.2.7/24" }],
    routes: [],
  });
});

Deno.test("decodeIpamResult() keeps a route's MTU and priority", () => {
  const route = { dst: "192.0.2.128/25", mtu: 1400, priority: 7 };
  const more = { table: 254, scope: 0, advmss: 0 };
  const text = JSON.stringify({ ips: EXPECTED.ips, routes: [{ ...route, ...more }] });
  assert.deepEqual(decodeIpamResult(text).routes, [route]);
});

Deno.test("decodeIpamResult() refuses a route it could only set wrongly, with code 2", () => {
  for (const more of [{ table: 100 }, { table: 0 }, { scope: 253 }, { advmss: 1300 }]) {
    const text = JSON.stringify({ ips: EXPECTED.ips, routes: [{ dst: "0.0.0.0/0", ...more }] });
    const [key, value] = Object.entries(more)[0]!;
    assert.throws(() => decodeIpamResult(text), {
      code: 2,
      message: new RegExp(`"${key}": ${value}`),
    });
  }
});

Deno.test("decodeIpamResult() refuses everything else, with code 6", () => {
  const bad: readonly unknown[] = [
    [],
    "x",
    {},
    { ips: [] },
    { ips: {} },
    { ips: ["192.0.2.7/24"] },
    { ips: [{ address: "192.0.2.7" }] },
    { ips: [{ address: "192.0.2.7/33" }] },
    { ips: [{ address: 7 }] },
    { ips: [{ address: "192.0.2.7/24", gateway: "gw" }] },
    { ips: EXPECTED.ips, routes: [{ gw: "192.0.2.1" }] },
    { ips: EXPECTED.ips, routes: [{ dst: "0.0.0.0/0", gw: 1 }] },
    { ips: EXPECTED.ips, routes: [{ dst: "0.0.0.0/0", mtu: -1 }] },
    { ips: EXPECTED.ips, routes: "none" },
    { ip4: "192.0.2.7/24" },
  ];
  for (const value of bad) {
    assert.throws(
      () => decodeIpamResult(JSON.stringify(value)),
      { code: 6 },
      JSON.stringify(value),
    );
  }
  for (const text of ["", "nonsense", "[".repeat(200_000)]) {
    assert.throws(() => decodeIpamResult(text), { code: 6 });
  }
});

Deno.test("routesToSet() sends a route without gateway by its family's first one", () => {
  const ips = [
    { address: "192.0.2.7/24" },
    { address: "192.0.2.8/24", gateway: "192.0.2.1" },
    { address: "2001:db8::7/64" },
  ];
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, {
    dst: "198.51.100.0/24",
    gw: "192.0.2.9",
  }];
  assert.deepEqual(routesToSet({ ips, routes }), [
    { dst: "0.0.0.0/0", gw: "192.0.2.1" },
    { dst: "::/0" },
    { dst: "198.51.100.0/24", gw: "192.0.2.9" },
  ]);
});
