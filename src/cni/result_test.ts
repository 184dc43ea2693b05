import assert from "node:assert/strict";
import { SUPPORTED_VERSIONS } from "./config.ts";
import { cniResult, decodeDns, type ResultInput } from "./result.ts";

const LINK: ResultInput = {
  version: "1.1.0",
  ifname: "net1",
  netns: "/run/netns/blue",
  mac: "02:00:00:00:00:01",
  mtu: 1426,
};

const IPAM = {
  ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }, { address: "2001:db8::7/64" }],
  routes: [{ dst: "0.0.0.0/0" }, {
    dst: "2001:db8:1::/48",
    gw: "2001:db8::1",
    mtu: 1400,
    priority: 7,
  }],
};

Deno.test("cniResult() has one interface, with its MTU since 1.1.0", () => {
  for (const version of SUPPORTED_VERSIONS) {
    const entry = { name: "net1", mac: "02:00:00:00:00:01", sandbox: "/run/netns/blue" };
    assert.deepEqual(cniResult({ ...LINK, version }), {
      cniVersion: version,
      interfaces: [version === "1.1.0" ? { ...entry, mtu: 1426 } : entry],
    });
  }
});

Deno.test("cniResult() names the family of an address up to 0.4.0", () => {
  for (const version of SUPPORTED_VERSIONS) {
    const { ips } = cniResult({ ...LINK, version, ipam: IPAM });
    const old = version < "1.0.0";
    assert.deepEqual(ips, [
      {
        ...(old ? { version: "4" } : {}),
        interface: 0,
        address: "192.0.2.7/24",
        gateway: "192.0.2.1",
      },
      { ...(old ? { version: "6" } : {}), interface: 0, address: "2001:db8::7/64" },
    ]);
  }
});

Deno.test("cniResult() has MTU and priority of routes since 1.1.0", () => {
  for (const version of SUPPORTED_VERSIONS) {
    const { routes } = cniResult({ ...LINK, version, ipam: IPAM });
    const plain = { dst: "2001:db8:1::/48", gw: "2001:db8::1" };
    assert.deepEqual(routes, [
      { dst: "0.0.0.0/0" },
      version === "1.1.0" ? { ...plain, mtu: 1400, priority: 7 } : plain,
    ]);
  }
});

Deno.test("cniResult() prefers the configuration's DNS to IPAM's", () => {
  const ipam = { ...IPAM, dns: { domain: "ipam.test" } };
  assert.deepEqual(cniResult({ ...LINK, ipam })["dns"], { domain: "ipam.test" });
  const dns = { nameservers: ["192.0.2.53"] };
  assert.deepEqual(cniResult({ ...LINK, ipam, dns })["dns"], dns);
});

Deno.test("cniResult() keeps what earlier plugins of the chain made", () => {
  const previous = {
    interfaces: [{ name: "br0" }, { name: "eth0", sandbox: "/run/netns/blue" }],
    ips: [{ address: "198.51.100.2/24", interface: 1 }],
    routes: [{ dst: "198.51.100.0/24" }],
    dns: { domain: "earlier.test" },
  };
  const result = cniResult({ ...LINK, ipam: IPAM, previous });
  assert.deepEqual(result["dns"], previous.dns);
  assert.deepEqual(result["routes"], [...previous.routes, ...IPAM.routes]);
  assert.deepEqual(result["ips"], [
    ...previous.ips,
    { interface: 2, ...IPAM.ips[0] },
    { interface: 2, ...IPAM.ips[1] },
  ]);
  assert.equal(Array.isArray(result["interfaces"]) && result["interfaces"].length, 3);
});

Deno.test("decodeDns() drops what is empty and refuses wrong types", () => {
  const dns = {
    nameservers: ["192.0.2.53"],
    domain: "x.test",
    search: ["x.test"],
    options: ["rotate"],
  };
  assert.deepEqual(decodeDns(dns), dns);
  assert.equal(decodeDns(undefined), undefined);
  assert.equal(decodeDns({ nameservers: [], domain: "", search: null, other: 1 }), undefined);
  for (const bad of [[], "x", { domain: 1 }, { search: "x" }, { options: [1] }]) {
    assert.throws(() => decodeDns(bad), { code: 7, message: /^dns/ });
  }
});
