/**
 * Good and bad LAN objects as data, so that our validator and an API server that holds our CRD can
 * be asked about the same rows.
 */

export type LooseLan = { readonly [key: string]: unknown };

export interface LanRow {
  readonly name: string;
  readonly lan: unknown;
  /** Paths that must be complained about, all of them; none: the object is good. */
  readonly bad: readonly string[];
  /** Set where the API server does otherwise, with why: it drops unknown fields, for instance. */
  readonly server?: { readonly bad: readonly string[]; readonly why: string };
}

export interface LanUpdateRow {
  readonly name: string;
  readonly from: LooseLan;
  readonly to: LooseLan;
  /** Paths an API server must complain about; none: the update is allowed. */
  readonly bad: readonly string[];
}

const SPEC = { ns: "knlvrf", bridge: "br2", vxlan: "vx2", vni: 222, spokes: ["pod1", "pod2"] };
const DROPS = "the API server drops unknown fields";

/** The smallest good LAN with `change` laid over its spec; an `undefined` takes a field away. */
export function lanWith(change: LooseLan = {}, metadata: LooseLan = {}): LooseLan {
  const spec = Object.fromEntries(
    Object.entries({ ...SPEC, ...change }).filter(([, value]) => value !== undefined),
  );
  return {
    apiVersion: "lan.k8slan.io/v1beta1",
    kind: "LAN",
    metadata: { name: "lan-test", namespace: "k8slan-system", ...metadata },
    spec,
  };
}

function numbered(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}${at}`);
}

function mapOf(keys: readonly string[]): LooseLan {
  return Object.fromEntries(keys.map((key) => [key, "eth0"]));
}

const good: readonly (readonly [string, unknown])[] = [
  ["the smallest", lanWith()],
  [
    "as in the README",
    lanWith({ defaultVxlanDev: "eth0.10", vxlanDevMap: { worker1: "eth1", worker2: "eth2" } }),
  ],
  [
    "every field",
    lanWith({
      defaultVxlanDev: "enp1s0f0np0",
      vxlanDevMap: { "node-1.example.org": "bond0.100", constructor: "eth0", "10.0.0.7": "_x" },
      vxlanGrp: "FF05::1:14",
      vxlanPort: 14789,
      mtu: 9000,
      underlay: "unicast",
      namespaces: ["default", "team-a"],
      pinMac: true,
      broadcastLimit: 1000,
    }),
  ],
  ["no spokes", lanWith({ spokes: [] })],
  ["names of one character", lanWith({ ns: "n", bridge: "B", vxlan: "1", spokes: ["0"] })],
  [
    "names of 13 characters",
    lanWith({
      ns: "a234567890123",
      bridge: "A2345678901_3",
      vxlan: "a23456789-12_",
      spokes: ["a-34567890123"],
    }),
  ],
  ["an ns called as a spoke", lanWith({ ns: "pod1" })],
  ["an ns called lo", lanWith({ ns: "lo" })],
  ["lowest figures", lanWith({ vni: 1, vxlanPort: 1, mtu: 1280, broadcastLimit: 1 })],
  [
    "highest figures",
    lanWith({ vni: 16_777_215, vxlanPort: 65_535, mtu: 65_465, broadcastLimit: 1_000_000 }),
  ],
  ["protection said to be off", lanWith({ pinMac: false })],
  ["most spokes", lanWith({ spokes: numbered(4095, "s") })],
  ["most nodes", lanWith({ vxlanDevMap: mapOf(numbered(5000, "node-")) })],
  ["an empty device map", lanWith({ vxlanDevMap: {} })],
  ["most namespaces", lanWith({ namespaces: numbered(256, "team-") })],
  ["a group written out", lanWith({ vxlanGrp: "ff3e:0030:2001:0db8:0000:0000:0000:0014" })],
  ["a name of 59 characters", lanWith({}, { name: "a".repeat(59) })],
  ["a one-letter name", lanWith({}, { name: "x" })],
  ["labels and annotations", lanWith({}, { labels: { a: "b" }, annotations: { c: "d" } })],
];

/** Refused in bridge and VXLAN names, the laxest of our own names. */
const hostileNames: readonly (readonly [string, unknown])[] = [
  ["empty", ""],
  ["14 characters", "a".repeat(14)],
  ["15 characters", "a".repeat(15)],
  ["64 KiB", "a".repeat(65_536)],
  ["the parent folder", ".."],
  ["a path up", "../x"],
  ["a path", "a/b"],
  ["an absolute path", "/x"],
  ["a device file", "../../dev/mem"],
  ["a format", "a%d"],
  ["an option", "-x"],
  ["a long option", "--help"],
  ["a command", "a;reboot"],
  ["a substitution", "$(id)"],
  ["a dot", "pod1.b"],
  ["a colon", "eth0:1"],
  ["an at sign", "eth0@if3"],
  ["a space", "a b"],
  ["a trailing newline", "ab\n"],
  ["a tab", "a\tb"],
  ["a NUL", "a\u0000b"],
  ["an escape code", "\u001b[31mx"],
  ["an accent", "café"],
  ["a letter of another script", "pоd1"],
  ["an emoji", "🦕"],
  ["right-to-left text", "\u202eabc"],
  ["a full-width digit", "a１"],
  ["a number", 5],
  ["a truth value", true],
  ["null", null],
  ["a list", ["a"]],
  ["an object", { a: "b" }],
];

/** Refused beyond those where a name is also a DNS label. */
const hostileLabels: readonly (readonly [string, unknown])[] = [
  ...hostileNames,
  ["capitals", "Pod1"],
  ["an underscore", "pod_1"],
  ["a dash last", "pod-"],
];

const hostileNamespaces: readonly (readonly [string, unknown])[] = [
  ...hostileLabels.filter(([name]) => !["14 characters", "15 characters"].includes(name)),
  ["64 characters", "a".repeat(64)],
];

/** What is neither a list, nor a text, a number or a truth value. */
const noScalars: readonly (readonly [string, unknown])[] = [
  ["null", null],
  ["a list", []],
  ["an object", {}],
];

const reserved = ["lo", "all", "default"];

const hostileDevices: readonly (readonly [string, unknown])[] = [
  ...hostileNames.filter(([name]) => !["14 characters", "15 characters", "a dot"].includes(name)),
  ["16 characters", "a".repeat(16)],
  ["this folder", "."],
];

const badGroups: readonly (readonly [string, unknown])[] = [
  ["empty", ""],
  ["unicast", "2001:db8::1"],
  ["IPv4", "239.1.1.1"],
  ["with an IPv4 tail", "ff02::1.2.3.4"],
  ["with a zone", "ff02::14%eth0"],
  ["with a prefix length", "ff02::14/128"],
  ["of three digits", "ff2::14"],
  ["reserved scope", "ff00::14"],
  ["scope of one interface", "ff01::14"],
  ["scope f", "ff0f::14"],
  ["with two gaps", "ff02::1::2"],
  ["with three colons", "ff02:::14"],
  ["with nine groups", "ff02:1:2:3:4:5:6:7:8"],
  ["with seven groups", "ff02:1:2:3:4:5:6"],
  ["with five digits", "ff02::12345"],
  ["with a colon last", "ff02::1:"],
  ["not hexadecimal", "ff02::g"],
  ["with spaces", " ff02::14"],
  ["very long", `ff02:${":0".repeat(5000)}`],
  ["a number", 14],
];

const badFigures: readonly (readonly [string, string, unknown])[] = [
  ["vni", "zero", 0],
  ["vni", "2^24", 16_777_216],
  ["vni", "negative", -1],
  ["vni", "a fraction", 1.5],
  ["vni", "text", "222"],
  ["vni", "huge", 1e300],
  ["vni", "null", null],
  ["vxlanPort", "zero", 0],
  ["vxlanPort", "2^16", 65_536],
  ["vxlanPort", "text", "4789"],
  ["mtu", "1279", 1279],
  ["mtu", "65466", 65_466],
  ["mtu", "zero", 0],
  ["mtu", "text", "1500"],
  ["broadcastLimit", "zero", 0],
  ["broadcastLimit", "negative", -1],
  ["broadcastLimit", "more than a million", 1_000_001],
  ["broadcastLimit", "a fraction", 0.5],
  ["broadcastLimit", "text", "100"],
  ["broadcastLimit", "huge", 1e300],
  ["broadcastLimit", "a truth value", true],
  ["pinMac", "text", "true"],
  ["pinMac", "a number", 1],
];

function inField(field: string, values: readonly (readonly [string, unknown])[]): LanRow[] {
  return values.map(([name, value]) => ({
    name: `${field}: ${name}`,
    lan: lanWith({ [field]: value }),
    bad: [`spec.${field}`],
  }));
}

function inList(
  field: "spokes" | "namespaces",
  values: readonly (readonly [string, unknown])[],
): LanRow[] {
  return values.map(([name, value]) => ({
    name: `${field}, one: ${name}`,
    lan: lanWith({ [field]: ["pod1", value, "pod2"] }),
    bad: [`spec.${field}[1]`],
  }));
}

function inSpoke(values: readonly (readonly [string, unknown])[]): LanRow[] {
  return inList("spokes", values);
}

/** An optional field that is null is to the API server a field left out; not so an entry of a list. */
function serverDropsNull(row: LanRow): LanRow {
  return row.name.endsWith(": null")
    ? { ...row, server: { bad: [], why: "the API server drops nulls of optional fields" } }
    : row;
}

function missing(...fields: readonly string[]): LanRow[] {
  return fields.map((field) => ({
    name: `${field} missing`,
    lan: lanWith({ [field]: undefined }),
    bad: [`spec.${field}`],
  }));
}

function unknownField(name: string, lan: unknown, path: string): LanRow {
  return { name, lan, bad: [path], server: { bad: [], why: DROPS } };
}

const bad: readonly LanRow[] = [
  ...inField("ns", hostileLabels),
  ...inField("bridge", hostileNames),
  ...inField("vxlan", hostileNames),
  ...inSpoke(hostileLabels),
  ...reserved.flatMap((name) => [
    ...inField("bridge", [[name, name]]),
    ...inField("vxlan", [[name, name]]),
    ...inSpoke([[name, name]]),
  ]),
  ...inSpoke([["of a veth definition", "pod1-veth"], ["of an any definition", "lan-any"]]),
  ...inField("defaultVxlanDev", hostileDevices).map(serverDropsNull),
  ...hostileDevices.map(([name, value]): LanRow => ({
    name: `vxlanDevMap: ${name}`,
    lan: lanWith({ vxlanDevMap: { worker1: value } }),
    bad: ["spec.vxlanDevMap.worker1"],
  })).map(serverDropsNull),
  ...["", "Worker", "a/b", "-a", "a-", "a b", "né", "\u001b[2J", "x".repeat(254), ".", "__proto__"]
    .map((key): LanRow => ({
      name: `vxlanDevMap: node ${JSON.stringify(key.slice(0, 20))}`,
      // As JSON gives it: an object literal would take "__proto__" for something else.
      lan: lanWith({ vxlanDevMap: JSON.parse(`{${JSON.stringify(key)}: "eth0"}`) }),
      bad: ["spec.vxlanDevMap*"],
    })),
  {
    name: "vxlanDevMap: too many nodes",
    lan: lanWith({ vxlanDevMap: mapOf(numbered(5001, "node-")) }),
    bad: ["spec.vxlanDevMap"],
  },
  ...inField("vxlanDevMap", [["a list", []], ["text", "eth0"]]),
  ...inField("vxlanGrp", badGroups),
  ...badFigures.flatMap(([field, name, value]) => inField(field, [[name, value]])),
  ...inField("underlay", [
    ["another word", "broadcast"],
    ["capitals", "Multicast"],
    ["empty", ""],
    ["a number", 1],
    ["a truth value", true],
  ]),
  ...["underlay", "pinMac", "broadcastLimit"].flatMap((field) => inField(field, noScalars))
    .map(serverDropsNull),
  ...inField("spokes", [
    ["too many", numbered(4096, "s")],
    ["ten thousand", numbered(10_000, "s")],
    ["text", "pod1"],
    ["an object", { 0: "pod1" }],
    ["null", null],
  ]),
  {
    name: "a spoke twice",
    lan: lanWith({ spokes: ["pod1", "pod2", "pod1"] }),
    bad: ["spec.spokes[2]"],
  },
  ...inField("namespaces", [
    ["none", []],
    ["too many", numbered(257, "team-")],
    ["ten thousand", numbered(10_000, "team-")],
    ["text", "default"],
    ["a number", 1],
    ["an object", { 0: "default" }],
    ["null", null],
  ]).map(serverDropsNull),
  ...inList("namespaces", hostileNamespaces),
  {
    name: "namespaces: a bad one, one twice",
    lan: lanWith({ namespaces: ["a", "Team", "a"] }),
    bad: ["spec.namespaces[1]", "spec.namespaces[2]"],
  },
  {
    name: "one name for bridge and vxlan",
    lan: lanWith({ bridge: "x", vxlan: "x" }),
    bad: ["spec.vxlan"],
    server: { bad: ["spec"], why: "a rule over two fields is reported at their parent" },
  },
  ...missing("ns", "bridge", "vxlan", "vni", "spokes"),
  {
    name: "everything wrong at once",
    lan: lanWith({
      ns: "A",
      bridge: "x",
      vxlan: "x",
      vni: 0,
      mtu: 1,
      spokes: ["pod1", "a%d", "pod1"],
      vxlanGrp: "ff02:::",
      vxlanDevMap: { worker1: "a/b" },
    }),
    bad: [
      "spec.ns",
      "spec.vxlan",
      "spec.vni",
      "spec.mtu",
      "spec.spokes[1]",
      "spec.spokes[2]",
      "spec.vxlanGrp",
      "spec.vxlanDevMap.worker1",
    ],
    server: {
      bad: [
        "spec",
        "spec.ns",
        "spec.vni",
        "spec.mtu",
        "spec.spokes[1]",
        "spec.spokes[2]",
        "spec.vxlanGrp",
        "spec.vxlanDevMap.worker1",
      ],
      why: "a rule over two fields is reported at their parent",
    },
  },
  unknownField("an unknown field", lanWith({ vxlanDev: "eth0" }), "spec.vxlanDev"),
  unknownField("a misspelt field", lanWith({ Mtu: 1500 }), "spec.Mtu"),
  unknownField("an unknown field at the top", { ...lanWith(), data: {} }, "data"),
  unknownField(
    "__proto__ in the spec",
    lanWith(JSON.parse('{"__proto__": {"vni": 7}}')),
    "spec.__proto__",
  ),
  ...["A", "", "a.b", "-a", "a-", "a/b", "../x", "a".repeat(60), "é"].map((name): LanRow => ({
    name: `metadata.name ${JSON.stringify(name.slice(0, 10))}`,
    lan: lanWith({}, { name }),
    bad: ["metadata.name"],
  })),
];

/** Objects that are no LAN at all: an API server does not even get so far. */
export const NOT_LANS: readonly LanRow[] = [
  { name: "null", lan: null, bad: [""] },
  { name: "undefined", lan: undefined, bad: [""] },
  { name: "text", lan: "LAN", bad: [""] },
  { name: "a list", lan: [lanWith()], bad: [""] },
  {
    name: "an empty object",
    lan: {},
    bad: ["apiVersion", "kind", "metadata", "spec"],
  },
  { name: "another kind", lan: { ...lanWith(), kind: "Lan" }, bad: ["kind"] },
  { name: "another version", lan: { ...lanWith(), apiVersion: "v1" }, bad: ["apiVersion"] },
  { name: "no spec", lan: { ...lanWith(), spec: undefined }, bad: ["spec"] },
  { name: "a spec of text", lan: { ...lanWith(), spec: "x" }, bad: ["spec"] },
  { name: "no name", lan: lanWith({}, { name: undefined }), bad: ["metadata.name"] },
  { name: "unknown metadata", lan: lanWith({}, { nmae: "x" }), bad: ["metadata.nmae"] },
  {
    name: "a namespace with a dot",
    lan: lanWith({}, { namespace: "a.b" }),
    bad: ["metadata.namespace"],
  },
  { name: "a uid with a colon", lan: lanWith({}, { uid: "a:b" }), bad: ["metadata.uid"] },
  { name: "an empty uid", lan: lanWith({}, { uid: "" }), bad: ["metadata.uid"] },
  {
    name: "a time that is none",
    lan: lanWith({}, { creationTimestamp: "yesterday" }),
    bad: ["metadata.creationTimestamp"],
  },
];

export const LAN_CORPUS: readonly LanRow[] = [
  ...good.map(([name, lan]): LanRow => ({ name, lan, bad: [] })),
  ...bad,
];

const changes: readonly (readonly [string, unknown])[] = [
  ["ns", "other"],
  ["bridge", "br3"],
  ["vxlan", "vx3"],
  ["vni", 223],
  ["vxlanGrp", "ff02::15"],
  ["vxlanPort", 4790],
  ["underlay", "unicast"],
];

/** Updates of a stored object, which only the API server can judge. */
export const LAN_UPDATES: readonly LanUpdateRow[] = [
  ...changes.map(([field, value]): LanUpdateRow => ({
    name: `${field} changed`,
    from: lanWith(),
    to: lanWith({ [field]: value }),
    bad: [`spec.${field}`],
  })),
  { name: "nothing changed", from: lanWith(), to: lanWith(), bad: [] },
  {
    name: "a default written out",
    from: lanWith(),
    to: lanWith({ vxlanGrp: "ff02::14", vxlanPort: 4789, underlay: "multicast" }),
    bad: [],
  },
  {
    name: "a default fallen back to",
    from: lanWith({ vxlanPort: 4790 }),
    to: lanWith(),
    bad: ["spec.vxlanPort"],
  },
  {
    name: "a spoke added",
    from: lanWith(),
    to: lanWith({ spokes: ["pod1", "pod2", "pod3"] }),
    bad: [],
  },
  { name: "all spokes removed", from: lanWith(), to: lanWith({ spokes: [] }), bad: [] },
  {
    name: "protection changed",
    from: lanWith({ broadcastLimit: 10 }),
    to: lanWith({ pinMac: true }),
    bad: [],
  },
  {
    name: "device map, MTU and namespaces changed",
    from: lanWith({ defaultVxlanDev: "eth0", vxlanDevMap: { a: "eth1" } }),
    to: lanWith({ vxlanDevMap: { a: "eth2" }, mtu: 1400, namespaces: ["x"] }),
    bad: [],
  },
];
