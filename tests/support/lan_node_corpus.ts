/** Good and bad status of LANNodes as data, for our schema and for an API server with our CRD. */

import { NODE_ATTACHMENTS_MAX, NODE_LANS_MAX } from "../../src/api/lan_node.ts";

export interface LanNodeRow {
  readonly name: string;
  readonly status: unknown;
  /** Paths below `status` that must be complained about; none: it is good. */
  readonly bad: readonly string[];
}

type Loose = { readonly [key: string]: unknown };

const LAN = { namespace: "lab", name: "lan-test", uid: "u1", attached: 1, ready: true };
const ATTACHMENT = { lanUid: "u1", attach: "macvtap", ifname: "net1", containerID: "c1" };
const PROBLEM = { reason: "UnderlayMissing", message: 'There is no device "eth1"' };

const UNATTACHED = { lanUid: "u1", spoke: "pod1", pod: { namespace: "lab", name: "web-0" } };

const PROBE = { state: "Known", peers: 2, reachable: 1 };
const UNREACHABLE = { node: "worker2", reason: "MtuTooSmall", mtu: 1334 };

function probeWith(change: Loose): Loose {
  return lanWith({ probe: without({ ...PROBE, ...change }) });
}

function statusWith(change: Loose = {}): Loose {
  return without({ version: "0.1.0", attached: 1, ...change });
}

function without(object: Loose): Loose {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function lanWith(change: Loose): Loose {
  return statusWith({ lans: [without({ ...LAN, ...change })] });
}

function attachmentWith(change: Loose): Loose {
  return statusWith({ attachments: [without({ ...ATTACHMENT, ...change })] });
}

function many(count: number, one: (at: number) => unknown): unknown[] {
  return Array.from({ length: count }, (_, at) => one(at));
}

const good: readonly (readonly [string, unknown])[] = [
  ["the smallest", { version: "", attached: 0 }],
  ["a LAN", lanWith({})],
  ["a LAN with all fields", lanWith({ underlay: "eth0.10", mtu: 1426, conditions: [PROBLEM] })],
  ["a LAN with an address", lanWith({ vtep: "2001:db8::1" })],
  ["a LAN that is probed", probeWith({})],
  [
    "a LAN that is probed, with all fields",
    probeWith({ unreachable: [UNREACHABLE], lossPercent: 25, roundTripMs: 2 }),
  ],
  ["a LAN with most nodes unreachable", probeWith({ unreachable: many(16, () => UNREACHABLE) })],
  ["an attachment", attachmentWith({})],
  [
    "an attachment with all fields",
    attachmentWith({
      ...{ spoke: "pod1", mac: "02:00:00:00:00:01", attach: "veth" },
      pod: { namespace: "lab", name: "web-0", uid: "p1" },
    }),
  ],
  ["problems", statusWith({ problems: [PROBLEM] })],
  ["a pod that is not attached", statusWith({ unattached: [UNATTACHED] })],
  ["empty lists", statusWith({ lans: [], attachments: [], problems: [] })],
  ["most LANs", statusWith({ lans: many(NODE_LANS_MAX, (at) => ({ ...LAN, uid: `u${at}` })) })],
  ["most attachments", statusWith({ attachments: many(NODE_ATTACHMENTS_MAX, () => ATTACHMENT) })],
];

const bad: readonly (readonly [string, unknown, ...string[]])[] = [
  ["a probe without count", probeWith({ peers: undefined }), "lans[0].probe.peers"],
  ["a probe in no state", probeWith({ state: "Maybe" }), "lans[0].probe.state"],
  ["a probe with a negative count", probeWith({ reachable: -1 }), "lans[0].probe.reachable"],
  [
    "too many unreachable nodes",
    probeWith({ unreachable: many(17, () => UNREACHABLE) }),
    "lans[0].probe.unreachable",
  ],
  [
    "a node unreachable for a sentence",
    probeWith({ unreachable: [{ node: "n", reason: "It is away" }] }),
    "lans[0].probe.unreachable[0].reason",
  ],
  [
    "an unreachable node without name",
    probeWith({ unreachable: [{ node: "", reason: "Silent" }] }),
    "lans[0].probe.unreachable[0].node",
  ],
  ["more loss than all", probeWith({ lossPercent: 101 }), "lans[0].probe.lossPercent"],
  ["a round trip of hours", probeWith({ roundTripMs: 1e7 }), "lans[0].probe.roundTripMs"],
  ["no version", statusWith({ version: undefined }), "version"],
  ["a long version", statusWith({ version: "1".repeat(65) }), "version"],
  ["no count", statusWith({ attached: undefined }), "attached"],
  ["a negative count", statusWith({ attached: -1 }), "attached"],
  ["a fraction", statusWith({ attached: 0.5 }), "attached"],
  ["a huge count", statusWith({ attached: 1e9 }), "attached"],
  ["LANs as an object", statusWith({ lans: {} }), "lans"],
  [
    "too many LANs",
    statusWith({ lans: many(NODE_LANS_MAX + 1, (at) => ({ ...LAN, uid: `u${at}` })) }),
    "lans",
  ],
  [
    "too many attachments",
    statusWith({ attachments: many(4097, () => ATTACHMENT) }),
    "attachments",
  ],
  ["too many problems", statusWith({ problems: many(65, () => PROBLEM) }), "problems"],
  ["a LAN without UID", lanWith({ uid: undefined }), "lans[0].uid"],
  ["a LAN without name", lanWith({ name: undefined }), "lans[0].name"],
  ["a LAN of an empty namespace", lanWith({ namespace: "" }), "lans[0].namespace"],
  ["a LAN that may be ready", lanWith({ ready: "maybe" }), "lans[0].ready"],
  ["an MTU of text", lanWith({ mtu: "1500" }), "lans[0].mtu"],
  ["a long underlay", lanWith({ underlay: "a".repeat(16) }), "lans[0].underlay"],
  ["an IPv4 address of a node", lanWith({ vtep: "192.0.2.1" }), "lans[0].vtep"],
  ["no address of a node", lanWith({ vtep: "" }), "lans[0].vtep"],
  ["a long address of a node", lanWith({ vtep: "1".repeat(40) }), "lans[0].vtep"],
  [
    "a reason in two words",
    lanWith({ conditions: [{ ...PROBLEM, reason: "Not there" }] }),
    "lans[0].conditions[0].reason",
  ],
  [
    "a long message",
    lanWith({ conditions: [{ ...PROBLEM, message: "a".repeat(2049) }] }),
    "lans[0].conditions[0].message",
  ],
  ["too many conditions", lanWith({ conditions: many(17, () => PROBLEM) }), "lans[0].conditions"],
  ["an attachment of no LAN", attachmentWith({ lanUid: undefined }), "attachments[0].lanUid"],
  ["another kind", attachmentWith({ attach: "ipvlan" }), "attachments[0].attach"],
  ["a long interface", attachmentWith({ ifname: "a".repeat(16) }), "attachments[0].ifname"],
  [
    "a long container",
    attachmentWith({ containerID: "a".repeat(257) }),
    "attachments[0].containerID",
  ],
  ["a pod of text", attachmentWith({ pod: "web-0" }), "attachments[0].pod"],
  ["a pod without name", attachmentWith({ pod: { namespace: "lab" } }), "attachments[0].pod.name"],
  [
    "too many pods that are not attached",
    statusWith({ unattached: many(65, () => UNATTACHED) }),
    "unattached",
  ],
  [
    "nobody that is not attached",
    statusWith({ unattached: [without({ ...UNATTACHED, pod: undefined })] }),
    "unattached[0].pod",
  ],
  ["a list", [], ""],
  ["text", "ready", ""],
];

export const LAN_NODE_CORPUS: readonly LanNodeRow[] = [
  ...good.map(([name, status]): LanNodeRow => ({ name, status, bad: [] })),
  ...bad.map(([name, status, ...paths]): LanNodeRow => ({ name, status, bad: paths })),
];
