/** VXLANs of other programs on the node: what they and a LAN could not both have, in words. */

import type { Condition } from "../api/agent_protocol.ts";
import type { LanSpec } from "../api/lan.ts";

/** A VXLAN in the host's namespace that bears no mark of ours. */
export interface ForeignVxlan {
  readonly name: string;
  readonly up: boolean;
  readonly vni: number;
  readonly port: number;
  /** Whether it goes over IPv6, as ours do: one of IPv4 alone is in nobody's way. */
  readonly ipv6: boolean;
  /** Whether it takes its port for itself, whatever the VNI. */
  readonly alone: boolean;
}

/** Who makes devices of such a name. */
const MAKERS: readonly (readonly [RegExp, string])[] = [
  [/^cilium_vxlan$/, "Cilium"],
  [/^vxlan(-v6)?\.calico$/, "Calico"],
  [/^flannel(-v6)?\.\d+$/, "Flannel"],
  [/^vxlan_sys_\d+$/, "Open vSwitch"],
  [/^vxlan-\d+$/, "Weave Net"],
  [/^vx-[0-9a-f]{6}-/, "Docker"],
];

/** The program that a device of that name belongs to, as far as it can be told. */
export function makerOf(device: string): string | undefined {
  return MAKERS.find(([pattern]) => pattern.test(device))?.[1];
}

/** `"cilium_vxlan" of Cilium` */
export function deviceText(name: string): string {
  const maker = makerOf(name);
  return maker === undefined ? `"${name}"` : `"${name}" of ${maker}`;
}

/** What is to be done about a port; it is immutable. */
export const OTHER_PORT = "delete the LAN and create it with another spec.vxlanPort";

/** Calico's firewall drops VXLAN packets on its port that are not its own (IPv6: its IPv6 device). */
const CALICO_V6 = "vxlan-v6.calico";

/** What a LAN suffers from these devices, and what they would suffer from it. */
export function foreignVxlanConditions(
  lan: string,
  spec: Pick<LanSpec, "vni" | "vxlanPort">,
  foreign: readonly ForeignVxlan[],
): Condition[] {
  return foreign.flatMap((device) => {
    const { name, up, vni, port, ipv6, alone } = device;
    if (!ipv6 || port !== spec.vxlanPort) return [];
    const who = `VXLAN device ${deviceText(name)}`;
    if (alone) {
      return {
        reason: "VxlanPortTaken",
        message: up
          ? `${who} has UDP port ${port} of this node for itself, so LAN "${lan}" cannot come up here; ${OTHER_PORT}`
          : `${who} needs UDP port ${port} of this node for itself and cannot come up while LAN "${lan}" uses it; ${OTHER_PORT}`,
      };
    }
    if (vni === spec.vni) {
      return {
        reason: "VniTaken",
        message:
          `${who} has VNI ${vni} on UDP port ${port} of this node, so LAN "${lan}" cannot come up here; delete the LAN and create it with another spec.vni or spec.vxlanPort`,
      };
    }
    if (name === CALICO_V6) {
      return {
        reason: "VxlanPortFiltered",
        message:
          `${who} uses UDP port ${port} too, and Calico drops what is not its own there, so LAN "${lan}" may not reach other nodes; ${OTHER_PORT}`,
      };
    }
    return [];
  });
}
