import { deepStrictEqual } from "node:assert/strict";
import { makeDelegates } from "./delegates.ts";
import type { KubeObject } from "./kube.ts";
import { parseNetworks } from "./networks.ts";

const PLAIN = definition({ cniVersion: "1.0.0", type: "bridge" });
const LIST = definition({ name: "list", plugins: [{ type: "a" }, { type: "b" }] }, "x.io/port");
const PORT = definition({ type: "k8slan" }, "x.io/port");

Deno.test("makeDelegates() names a configuration without name after its network", () => {
  const [delegate] = makeDelegates(parseNetworks("one", "ns"), [PLAIN], new Map(), "A=1");
  deepStrictEqual(delegate, {
    config: { cniVersion: "1.0.0", type: "bridge", name: "one" },
    ifname: "net1",
    args: "IgnoreUnknown=true;A=1",
    runtimeConfig: {},
  });
});

Deno.test("makeDelegates() gives the n-th network of a resource the n-th device", () => {
  const devices = new Map([["x.io/port", ["d1", "d2"]]]);
  const found = makeDelegates(
    parseNetworks("a,b,c,d", "ns"),
    [PORT, PLAIN, LIST, PORT],
    devices,
    "",
  );
  deepStrictEqual(found.map(({ config }) => config.deviceID), [
    "d1",
    undefined,
    undefined,
    undefined,
  ]);
  deepStrictEqual(found[0]?.config.pciBusID, "d1");
  deepStrictEqual(found[2]?.config.plugins, [
    { type: "a", deviceID: "d2", pciBusID: "d2" },
    { type: "b", deviceID: "d2", pciBusID: "d2" },
  ]);
  deepStrictEqual(found[2]?.runtimeConfig, { deviceID: "d2" });
});

Deno.test("makeDelegates() hands MAC, addresses and arguments on", () => {
  const text = JSON.stringify([
    { name: "one", mac: "02:00:00:00:00:01", ips: ["10.0.0.1/24"], "cni-args": { spoke: "x" } },
  ]);
  const [delegate] = makeDelegates(parseNetworks(text, "ns"), [PLAIN], new Map(), "A=1");
  deepStrictEqual(delegate?.args, "IgnoreUnknown=true;A=1;MAC=02:00:00:00:00:01;IP=10.0.0.1/24");
  deepStrictEqual(delegate?.config.args, { cni: { spoke: "x" } });
  deepStrictEqual(delegate?.runtimeConfig, { mac: "02:00:00:00:00:01", ips: ["10.0.0.1/24"] });
});

function definition(config: object, resource?: string): KubeObject {
  const annotations = resource === undefined
    ? {}
    : { annotations: { "k8s.v1.cni.cncf.io/resourceName": resource } };
  return { metadata: { uid: "1", ...annotations }, spec: { config: JSON.stringify(config) } };
}
