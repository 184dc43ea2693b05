import { deepStrictEqual, ok } from "node:assert/strict";
import { K8slanError } from "../base/errors.ts";
import { parseAttachConfig } from "./cni_config.ts";

const base = { cniVersion: "1.0.0", name: "pod1", type: "k8slan" };

function failure(config: unknown, args = ""): K8slanError {
  try {
    parseAttachConfig(config, args);
  } catch (error) {
    if (error instanceof K8slanError) return error;
    throw error;
  }
  throw new Error("taken");
}

const good: readonly (readonly [string, unknown, unknown])[] = [
  ["a spoke means macvtap", { ...base, lan: "lan1", spoke: "pod1" }, {
    network: "pod1",
    lan: { name: "lan1" },
    spoke: "pod1",
    attach: "macvtap",
    hasIpam: false,
  }],
  ["a device alone means its spoke", { ...base, type: "macvtap", deviceID: "pod1" }, {
    network: "pod1",
    spoke: "pod1",
    deviceId: "pod1",
    attach: "macvtap",
    hasIpam: false,
  }],
  ["a LAN alone means any veth", { ...base, lan: "team/lan1" }, {
    network: "pod1",
    lan: { namespace: "team", name: "lan1" },
    attach: "veth",
    hasIpam: false,
  }],
  ["everything, among what others write", {
    ...base,
    lan: "lan1",
    spoke: "pod1",
    attach: "veth",
    mac: "02-AA-BB-CC-DD-EE",
    mtu: 1400,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.0.0.0/24" }]] },
    deviceID: "pod1",
    pciBusID: "pod1",
    runtimeConfig: { deviceID: "pod1", ips: ["10.0.0.5/24"] },
    args: { cni: { ips: ["10.0.0.5"] } },
    capabilities: { mac: true, deviceID: true },
    dns: { nameservers: ["10.0.0.1"] },
    prevResult: { cniVersion: "1.0.0", interfaces: [] },
    "cni.dev/valid-attachments": [],
    somethingNew: { a: 1 },
  }, {
    network: "pod1",
    lan: { name: "lan1" },
    spoke: "pod1",
    deviceId: "pod1",
    attach: "veth",
    mac: "02:aa:bb:cc:dd:ee",
    mtu: 1400,
    hasIpam: true,
  }],
  ["empty values and nulls are absent", {
    ...base,
    lan: "lan1",
    mac: "",
    mtu: 0,
    ipam: {},
    deviceID: "",
    pciBusID: null,
    runtimeConfig: null,
    args: { cni: null },
  }, { network: "pod1", lan: { name: "lan1" }, attach: "veth", hasIpam: false }],
];

for (const [name, config, expected] of good) {
  Deno.test(`parseAttachConfig() reads: ${name}`, () => {
    deepStrictEqual(parseAttachConfig(config, ""), expected);
  });
}

Deno.test("parseAttachConfig() tells the pod", () => {
  const { pod } = parseAttachConfig(
    { ...base, lan: "a" },
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=team;K8S_POD_NAME=web-0;K8S_POD_UID=1-2",
  );
  deepStrictEqual(pod, { namespace: "team", name: "web-0", uid: "1-2" });
});

Deno.test("parseAttachConfig() prefers args.cni, runtimeConfig, CNI_ARGS, then mac", () => {
  const mac = (config: object, args: string) =>
    parseAttachConfig({ ...base, lan: "a", ...config }, args).mac;
  const own = { mac: "02:00:00:00:00:04" };
  const runtime = { ...own, runtimeConfig: { mac: "02:00:00:00:00:02" } };
  const args = { ...runtime, args: { cni: { mac: "02:00:00:00:00:01" } } };
  deepStrictEqual(mac(args, "MAC=02:00:00:00:00:03"), "02:00:00:00:00:01");
  deepStrictEqual(mac(runtime, "MAC=02:00:00:00:00:03"), "02:00:00:00:00:02");
  deepStrictEqual(mac(own, "MAC=02:00:00:00:00:03"), "02:00:00:00:00:03");
  deepStrictEqual(mac(own, ""), "02:00:00:00:00:04");
});

const lan = { ...base, lan: "lan1" };

const bad: readonly (readonly [string, unknown, RegExp])[] = [
  ["null", null, /must be an object, found null/],
  ["a list", [], /must be an object, found a list of 0/],
  ["no name", { ...lan, name: undefined }, /name is required/],
  ["a name with a slash", { ...lan, name: "a/b" }, /name must be 1 to 253/],
  ["no target", base, /names neither "lan" nor "spoke", and brings no device/],
  ["a macvtap without spoke", { ...lan, attach: "macvtap" }, /spoke is required for a macvtap/],
  ["an unknown attachment", { ...lan, attach: "ipvlan" }, /attach must be "macvtap" or "veth"/],
  ["an empty lan", { ...base, lan: "" }, /lan must be the name of a LAN/],
  ["a path for a lan", { ...base, lan: "../../x" }, /lan must be/],
  ["three parts for a lan", { ...base, lan: "a/b/c" }, /lan must be/],
  ["a list for a lan", { ...base, lan: ["a"] }, /lan must be a text/],
  ["a path for a spoke", { ...lan, spoke: "../x" }, /spoke must be 1 to 13/],
  ["a link name for a spoke", { ...lan, spoke: "eth0.100" }, /spoke must be/],
  ["another spoke's device", { ...lan, spoke: "pod1", deviceID: "pod2" }, /deviceID "pod2" is not/],
  ["two devices", { ...lan, deviceID: "pod1", pciBusID: "pod2" }, /pciBusID "pod2" differs/],
  ["a PCI address", { ...lan, deviceID: "0000:00:1f.6" }, /deviceID "0000:00:1f.6" is no spoke/],
  ["a group MAC", { ...lan, mac: "01:00:5e:00:00:01" }, /mac must be a unicast/],
  ["a zero MAC", { ...lan, mac: "00:00:00:00:00:00" }, /mac must be a unicast/],
  ["a short MAC", { ...lan, args: { cni: { mac: "02:00" } } }, /args\.cni\.mac must be/],
  ["a number for a MAC", { ...lan, mac: 5 }, /mac must be a text/],
  ["a small MTU", { ...lan, mtu: 67 }, /mtu must be at least 68/],
  ["a large MTU", { ...lan, mtu: 65_466 }, /mtu must be at most 65465/],
  ["a fraction for an MTU", { ...lan, mtu: 1400.5 }, /mtu must be a whole number/],
  ["text for ipam", { ...lan, ipam: "dhcp" }, /ipam must be an object/],
  ["a number for ipam's type", { ...lan, ipam: { type: 1 } }, /ipam\.type must be a text/],
  ...["master", "link", "veth", "device", "hostDevice", "socket"].map((
    key,
  ): readonly [string, unknown, RegExp] => [
    `a host's ${key}`,
    { ...lan, [key]: "eth0" },
    new RegExp(`${key} is refused: no interface or socket of the host`),
  ]),
];

for (const [name, config, message] of bad) {
  Deno.test(`parseAttachConfig() refuses ${name}`, () => {
    const error = failure(config);
    deepStrictEqual([error.code, error.retriable], ["InvalidConfig", false]);
    ok(message.test(error.message), error.message);
  });
}

Deno.test("parseAttachConfig() names all faults at once", () => {
  const { message } = failure(
    { ...lan, veth: "eth0", mac: "x", mtu: 5, attach: "macvtap" },
    "junk",
  );
  for (
    const part of ["veth is refused", "CNI_ARGS has", "spoke is required", "mac must", "mtu must"]
  ) {
    ok(message.includes(part), `${part}: ${message}`);
  }
});

Deno.test("parseAttachConfig() is not led astray by JavaScript's own names", () => {
  const json = '{"name":"n","lan":"a","__proto__":{"spoke":"stolen","mac":"02:00:00:00:00:01"},' +
    '"constructor":{"prototype":{"attach":"macvtap"}},"args":{"__proto__":{"cni":{"mac":"x"}}}}';
  deepStrictEqual(parseAttachConfig(JSON.parse(json), ""), {
    network: "n",
    lan: { name: "a" },
    attach: "veth",
    hasIpam: false,
  });
  deepStrictEqual(Reflect.get({}, "spoke"), undefined);
});

Deno.test("parseAttachConfig() keeps messages printable and short", () => {
  const noise = "\u001b[31m\u0000\n".repeat(10_000);
  const { message } = failure({ ...lan, spoke: noise, mac: noise, attach: noise }, noise);
  ok(/^[\x20-\x7e…]{1,2000}$/.test(message), message.slice(0, 3000));
});

Deno.test("parseAttachConfig() throws nothing but its own error, whatever it is given", () => {
  const pieces = [null, true, 0, -1, 1e308, "", "a", "__proto__", [], {}, [[]], { type: {} }];
  const keys = ["name", "lan", "spoke", "attach", "mac", "mtu", "ipam", "deviceID", "args"];
  for (const key of keys) {
    for (const piece of pieces) {
      try {
        parseAttachConfig({ ...lan, [key]: piece }, "");
      } catch (error) {
        ok(error instanceof K8slanError, `${key}: ${JSON.stringify(piece)}: ${error}`);
      }
    }
  }
});
