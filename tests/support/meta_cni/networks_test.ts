import { deepStrictEqual, throws } from "node:assert/strict";
import { parseNetworks } from "./networks.ts";

Deno.test("parseNetworks() reads the short form", () => {
  deepStrictEqual(parseNetworks("one, two@lan0,other/three", "mine"), [
    { namespace: "mine", name: "one", ifname: "net1", ips: [] },
    { namespace: "mine", name: "two", ifname: "lan0", ips: [] },
    { namespace: "other", name: "three", ifname: "net3", ips: [] },
  ]);
});

Deno.test("parseNetworks() reads the JSON form", () => {
  const text = JSON.stringify([
    { name: "one", namespace: "other", interface: "lan0", mac: "02:00:00:00:00:01" },
    { name: "two", ips: ["10.0.0.1/24"], "cni-args": { spoke: "x" } },
  ]);
  deepStrictEqual(parseNetworks(text, "mine"), [
    { namespace: "other", name: "one", ifname: "lan0", ips: [], mac: "02:00:00:00:00:01" },
    {
      namespace: "mine",
      name: "two",
      ifname: "net2",
      ips: ["10.0.0.1/24"],
      cniArgs: { spoke: "x" },
    },
  ]);
});

Deno.test("parseNetworks() finds nothing in an empty annotation", () => {
  deepStrictEqual(parseNetworks("", "mine"), []);
});

for (const text of ["a/b/c", "One", "a@", '[{"interface": "net1"}]', "[", "a b"]) {
  Deno.test(`parseNetworks() refuses ${text}`, () => {
    throws(() => parseNetworks(text, "mine"));
  });
}
