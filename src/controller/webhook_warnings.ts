/** What the API takes and nodes will not be able to do: said when it is written. */

import type { LanSpec } from "../api/lan.ts";
import { SPOKES_PER_NODE_MAX, VXLAN6_OVERHEAD } from "../api/names.ts";

/** MTU of an Ethernet link that nobody has changed. Bytes. */
const ETHERNET_MTU = 1500;

/** Sentences for whoever writes the LAN; each of at most 256 characters, for the API server. */
export function lanWarnings(spec: LanSpec): string[] {
  const { defaultVxlanDev, vxlanDevMap = {}, mtu, spokes } = spec;
  const warnings: string[] = [];
  if (defaultVxlanDev === undefined && Object.keys(vxlanDevMap).length === 0) {
    warnings.push(
      "The spec names no underlay device, so no node takes part; set spec.defaultVxlanDev or " +
        "spec.vxlanDevMap",
    );
  }
  if (mtu !== undefined && mtu + VXLAN6_OVERHEAD > ETHERNET_MTU) {
    warnings.push(
      `spec.mtu ${mtu} needs an underlay with an MTU of ${mtu + VXLAN6_OVERHEAD} or more on each ` +
        `node; with the usual ${ETHERNET_MTU} a LAN can have ${ETHERNET_MTU - VXLAN6_OVERHEAD}`,
    );
  }
  if (spokes.length > SPOKES_PER_NODE_MAX) {
    warnings.push(
      `spec.spokes has ${spokes.length} entries; one node can carry ${SPOKES_PER_NODE_MAX} of them ` +
        "at a time",
    );
  }
  return warnings;
}
