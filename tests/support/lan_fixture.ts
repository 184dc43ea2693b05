/** The LAN of the README and attachments to it, as the agent would plan them. */

import type { Lan, LanSpec } from "../../src/api/lan.ts";
import { API_VERSION, DEFAULT_VXLAN_GROUP, DEFAULT_VXLAN_PORT } from "../../src/api/names.ts";
import type { Scope } from "../../src/kernel/kernel.ts";
import { anonymousPortName, derivedMac, portName, tapIndex } from "../../src/plan/identity.ts";
import { markId } from "../../src/plan/mark.ts";
import type {
  Underlay,
  WantedAttachment,
  WantedLan,
  WantedMacvtap,
  WantedVeth,
} from "../../src/plan/wanted.ts";

export const SEED_UID = "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";

/** The LAN of the README, with `spec` laid over its spec. */
export function seedLan(spec: Partial<LanSpec> = {}, uid = SEED_UID): Lan {
  return {
    apiVersion: API_VERSION,
    kind: "LAN",
    metadata: {
      name: "lan-test",
      namespace: "k8slan-system",
      uid,
      creationTimestamp: "2026-01-31T12:00:00Z",
    },
    spec: {
      ...{ ns: "knlvrf", bridge: "br2", vxlan: "vx2", vni: 222, spokes: ["pod1", "pod2"] },
      defaultVxlanDev: "eth0.10",
      vxlanDevMap: { worker1: "eth1", worker2: "eth2" },
      vxlanGrp: DEFAULT_VXLAN_GROUP,
      vxlanPort: DEFAULT_VXLAN_PORT,
      underlay: "multicast",
      ...spec,
    },
  };
}

/** An underlay device with which nothing is wrong. */
export function goodUnderlay(change: Partial<Underlay> = {}): Underlay {
  return {
    ...{ name: "eth1", index: 7, mtu: 1500, up: true, running: true, ipv6: "usable" },
    addresses: ["fe80::1"],
    ...change,
  };
}

export interface AttachOptions {
  readonly lan?: Lan;
  readonly node?: string;
  readonly target?: string;
  readonly ifname?: string;
  readonly containerId?: string;
  readonly mtu?: number;
}

/** A macvtap on `spoke` in the namespace `target`. */
export function macvtapOn(spoke: string, options: AttachOptions = {}): WantedMacvtap {
  const { node = "worker1" } = options;
  return {
    ...attachmentBase(portName(spoke), spoke, options),
    attach: "macvtap",
    spoke,
    index: tapIndex(node, spoke, 0),
    owner: { uid: 107, gid: 107 },
  };
}

/** The far end of a spoke, or of a pair without one, in the namespace `target`. */
export function vethOn(spoke: string | undefined, options: AttachOptions = {}): WantedVeth {
  const { containerId, ifname } = { ...DEFAULTS, ...options };
  const port = spoke === undefined ? anonymousPortName(containerId, ifname) : portName(spoke);
  return {
    ...attachmentBase(port, spoke ?? port, options),
    attach: "veth",
    ...(spoke === undefined ? {} : { spoke }),
  };
}

const DEFAULTS = { node: "worker1", ifname: "net1", containerId: "c0ffee", mtu: 1426 };

function attachmentBase(port: string, addressOf: string, options: AttachOptions) {
  const { lan = seedLan(), target } = options;
  const { node, ifname, containerId, mtu } = { ...DEFAULTS, ...options };
  const lanId = markId(lan.metadata.uid);
  return {
    ...{ containerId, ifname, mtu, port },
    portAddress: derivedMac(lanId, node, port),
    address: derivedMac(lanId, addressOf),
    ...(target === undefined ? {} : { target }),
  };
}

/** All that there is to see of a LAN and its attachments. */
export function scopeOf(wanted: WantedLan): Scope {
  return scope(wanted.netns.path, wanted.attachments);
}

function scope(netnsPath: string, attachments: readonly WantedAttachment[]): Scope {
  return {
    netnsPath,
    hostLinks: attachments.flatMap(({ attach, spoke }) =>
      attach === "macvtap" && spoke !== undefined ? [spoke] : []
    ),
    targets: [...new Set(attachments.flatMap(({ target }) => target ?? []))],
  };
}
