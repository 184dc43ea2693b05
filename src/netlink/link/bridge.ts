/** Attributes of a bridge (linux/if_link.h, IFLA_BR_*). */

import { type AttrWriter, readAttrs, readU32, readU8 } from "../wire/attrs.ts";
import {
  IFLA_BR_AGEING_TIME,
  IFLA_BR_MCAST_SNOOPING,
  IFLA_BR_STP_STATE,
} from "../wire/constants.ts";

/** The kernel counts bridge times in hundredths of a second (USER_HZ). */
const TICKS_PER_SECOND = 100;

export interface BridgeAttrs {
  readonly kind: "bridge";
  readonly stp: boolean;
  readonly multicastSnooping: boolean;
  /** Seconds until a learned address is forgotten. */
  readonly ageingSeconds: number;
}

/** `… type bridge stp_state 0 mcast_snooping 0 ageing_time 30000` */
export function encodeBridge(writer: AttrWriter, attrs: Omit<BridgeAttrs, "kind">): void {
  writer.u32(IFLA_BR_AGEING_TIME, attrs.ageingSeconds * TICKS_PER_SECOND)
    .u32(IFLA_BR_STP_STATE, attrs.stp ? 1 : 0)
    .u8(IFLA_BR_MCAST_SNOOPING, attrs.multicastSnooping ? 1 : 0);
}

export function decodeBridge(data: Uint8Array): BridgeAttrs {
  let stp = false;
  let multicastSnooping = false;
  let ageingSeconds = 0;
  for (const { type, value } of readAttrs(data)) {
    if (type === IFLA_BR_STP_STATE) stp = readU32(value) !== 0;
    else if (type === IFLA_BR_MCAST_SNOOPING) multicastSnooping = readU8(value) !== 0;
    else if (type === IFLA_BR_AGEING_TIME) ageingSeconds = readU32(value) / TICKS_PER_SECOND;
  }
  return { kind: "bridge", stp, multicastSnooping, ageingSeconds };
}
