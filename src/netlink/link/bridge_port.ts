/** Attributes of a link as port of a bridge (linux/if_link.h, IFLA_BRPORT_*). */

import { type AttrWriter, readAttrs, readU16 } from "../wire/attrs.ts";
import { IFLA_BRPORT_GROUP_FWD_MASK } from "../wire/constants.ts";

export interface BridgePortAttrs {
  /**
   * Bit n lets frames to 01:80:c2:00:00:0n pass. A port may set every bit but 1, 802.3x pause
   * (BR_GROUPFWD_MACPAUSE); the bridge as a whole may not have bits 0 to 2, so it is set per port.
   */
  readonly groupForwardMask: number;
}

/** `… type bridge_slave group_fwd_mask 0xfffd` */
export function encodeBridgePort(writer: AttrWriter, attrs: BridgePortAttrs): void {
  writer.u16(IFLA_BRPORT_GROUP_FWD_MASK, attrs.groupForwardMask);
}

export function decodeBridgePort(data: Uint8Array): BridgePortAttrs {
  let groupForwardMask = 0;
  for (const { type, value } of readAttrs(data)) {
    if (type === IFLA_BRPORT_GROUP_FWD_MASK) groupForwardMask = readU16(value);
  }
  return { groupForwardMask };
}
