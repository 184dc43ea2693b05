/** `spec` of a LAN: the fields, their limits, and the same limits as rules of the CRD. */

import { z } from "zod";
import { isIpv6Multicast } from "../base/ip.ts";
import {
  DEFAULT_VXLAN_GROUP,
  DEFAULT_VXLAN_PORT,
  MTU_MAX,
  MTU_MIN,
  NAME_MAX,
  SPOKES_MAX,
  VNI_MAX,
  VNI_MIN,
} from "./names.ts";

/** Frames a second; more than one link of a node sends. */
const BROADCAST_LIMIT_MAX = 1_000_000;

/** Most nodes a device map names, and most namespaces a LAN is offered in. */
export const DEVICE_MAP_MAX = 5000;
export const NAMESPACES_MAX = 256;
/** A rule in the API server's expression language; it says in the CRD what a refinement says here. */
interface CelRule {
  readonly rule: string;
  readonly message: string;
}

function cel(...rules: CelRule[]): { "x-kubernetes-validations": CelRule[] } {
  return { "x-kubernetes-validations": rules };
}

const SHORT_LABEL =
  `must be 1 to ${NAME_MAX} lower-case letters, digits or "-", with a letter or digit first and last`;
const LABEL =
  'must be 1 to 63 lower-case letters, digits or "-", with a letter or digit first and last';

/** Text whose pattern bounds it too; the length is said again because the CEL cost is reckoned by it. */
export function text(pattern: RegExp, max: number, expected: string): z.ZodString {
  return z.string().regex(pattern, expected).max(max, expected);
}

export const shortLabel = text(/^[a-z0-9]([a-z0-9-]{0,11}[a-z0-9])?$/, NAME_MAX, SHORT_LABEL);
export const label = text(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 63, LABEL);

/** No dot, so that no such name equals a bridge port's, `<spoke>.b`; no "%", which the kernel fills in. */
const linkName = text(
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,12}$/,
  NAME_MAX,
  `must be 1 to ${NAME_MAX} letters, digits, "-" or "_", with a letter or digit first`,
);

/**
 * A link of the host, named by a person. The kernel takes much more; "@" stays out because
 * `ip link` prints `eth0.10@eth0` for the link eth0.10.
 */
const hostLink = text(
  /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/,
  15,
  'must be the name of a network interface: 1 to 15 letters, digits, "_", "." or "-"',
);

const NODE_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
export const NODE_NAME_EXPECTED =
  'must be the name of a node: 1 to 253 lower-case letters, digits, "-" or "."';

/** `lo` is in every network namespace; `all` and `default` stand for all links in /proc/sys/net. */
const RESERVED = ["lo", "all", "default"];
const RESERVED_EXPECTED = "must not be lo, all or default, which mean something else to the kernel";

/** `<spoke>-veth` and `<lan>-any` are names of NetworkAttachmentDefinitions, as each spoke is itself. */
const TAKEN_SUFFIX_EXPECTED =
  'must not end in "-veth" or "-any", which other network attachment definitions of a LAN end in';

const notReserved: CelRule = {
  rule: `!(self in [${RESERVED.map((name) => `'${name}'`).join(", ")}])`,
  message: RESERVED_EXPECTED,
};
const immutable: CelRule = {
  rule: "self == oldSelf",
  message: "is immutable: delete the LAN and create it anew",
};

const spoke = shortLabel
  .refine((name) => !RESERVED.includes(name), RESERVED_EXPECTED)
  .refine((name) => !name.endsWith("-veth") && !name.endsWith("-any"), TAKEN_SUFFIX_EXPECTED)
  .meta(cel(notReserved, {
    rule: "!self.endsWith('-veth') && !self.endsWith('-any')",
    message: TAKEN_SUFFIX_EXPECTED,
  }));

const lanLink = linkName.refine((name) => !RESERVED.includes(name), RESERVED_EXPECTED);

const GROUP_EXPECTED =
  "must be an IPv6 multicast address of scope 2 (link) to e (global), such as ff02::14";

const group = text(/^[fF]{2}[0-9a-fA-F][2-9a-eA-E]:[0-9a-fA-F:]{1,34}$/, 39, GROUP_EXPECTED)
  .refine(isGroup, GROUP_EXPECTED);

function isGroup(address: string): boolean {
  try {
    return isIpv6Multicast(address);
  } catch {
    return false;
  }
}

/** A list that the API server treats as a set; each repeated entry is named. */
function listSet(entry: z.ZodType<string>, max: number) {
  return z.array(entry).max(max).superRefine((list, context) => {
    const first = new Map<string, number>();
    list.forEach((value, at) => {
      const before = first.get(value);
      if (before === undefined) first.set(value, at);
      else context.addIssue({ code: "custom", path: [at], message: `repeats entry ${before}` });
    });
  });
}

const SAME_LINK_EXPECTED = "must differ from spec.bridge, as both are links of one namespace";

/** `spec`, without its defaults on the way in and with them on the way out. */
export const lanSpecSchema = z.strictObject({
  ns: shortLabel.meta({
    description: "Name of the LAN's network namespace on each node; unique over all LANs",
    ...cel(immutable),
  }),
  bridge: lanLink.meta({
    description: "Name of the bridge in the LAN's network namespace",
    ...cel(notReserved, immutable),
  }),
  vxlan: lanLink.meta({
    description: "Name of the VXLAN interface in the LAN's network namespace",
    ...cel(notReserved, immutable),
  }),
  vni: z.int().min(VNI_MIN).max(VNI_MAX).meta({
    description: "VXLAN network identifier; unique over all LANs",
    ...cel(immutable),
  }),
  defaultVxlanDev: hostLink.exactOptional().meta({
    description: "Underlay interface on nodes that vxlanDevMap does not name",
  }),
  vxlanDevMap: z.record(
    text(NODE_NAME, 253, NODE_NAME_EXPECTED),
    hostLink,
  ).exactOptional().meta({
    description: "Underlay interface by node name",
    maxProperties: DEVICE_MAP_MAX,
    ...cel({
      rule: `self.all(node, node.size() <= 253 && node.matches('${NODE_NAME.source}'))`,
      message: `each key ${NODE_NAME_EXPECTED}`,
    }),
  }),
  spokes: listSet(spoke, SPOKES_MAX).meta({
    description: "Names of the LAN's attachment points, one for each workload that takes a " +
      "macvtap; each unique over all LANs",
    "x-kubernetes-list-type": "set",
  }),
  vxlanGrp: group.default(DEFAULT_VXLAN_GROUP).meta({
    description:
      "IPv6 multicast group that carries broadcast, multicast and unknown unicast; means nothing " +
      "with a unicast underlay",
    ...cel({
      rule: "isIP(self) && cidr('ff00::/8').containsIP(self)",
      message: GROUP_EXPECTED,
    }, immutable),
  }),
  vxlanPort: z.int().min(1).max(65535).default(DEFAULT_VXLAN_PORT).meta({
    description: "UDP port of the VXLAN",
    ...cel(immutable),
  }),
  mtu: z.int().min(MTU_MIN).max(MTU_MAX).exactOptional().meta({
    description: "MTU inside the LAN; by default each node's underlay less 74",
  }),
  pinMac: z.boolean().exactOptional().meta({
    description: "Whether frames of a workload pass only with its interface's own MAC address as " +
      "their source; by default any address passes",
  }),
  broadcastLimit: z.int().min(1).max(BROADCAST_LIMIT_MAX).exactOptional().meta({
    description: "Broadcast and multicast frames a second that each workload may send, more are " +
      "dropped; by default as many as it likes",
  }),
  underlay: z.enum(["multicast", "unicast"]).default("multicast").meta({
    description: "How nodes find each other: by the multicast group, or by a list of peers",
    ...cel(immutable),
  }),
  namespaces: listSet(label, NAMESPACES_MAX).min(1).exactOptional().meta({
    description: "Namespaces whose workloads may attach; by default the LAN's own alone",
    "x-kubernetes-list-type": "set",
  }),
}).refine((spec) => spec.bridge !== spec.vxlan, {
  path: ["vxlan"],
  message: SAME_LINK_EXPECTED,
  // Without this, a fault elsewhere in the object would hide this one.
  when: ({ value }) => typeof value === "object" && value !== null && hasText(value, "bridge"),
}).meta({
  description: "What the LAN is, on every node that takes part",
  ...cel({ rule: "self.bridge != self.vxlan", message: "vxlan must differ from bridge" }),
});

function hasText(value: object, key: string): boolean {
  return typeof Reflect.get(value, key) === "string";
}
