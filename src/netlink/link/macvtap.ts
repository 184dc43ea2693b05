/** Attributes of a macvtap (linux/if_link.h, IFLA_MACVLAN_*). */

import { type AttrWriter, readAttrs, readU32 } from "../wire/attrs.ts";
import { IFLA_MACVLAN_BC_CUTOFF, IFLA_MACVLAN_MODE } from "../wire/constants.ts";

export interface MacvtapAttrs {
  readonly kind: "macvtap";
  /** MACVLAN_MODE_*; 8 is passthru: every unicast frame, one macvtap per lower link. */
  readonly mode: number;
  /**
   * How many macvtaps of one lower link a multicast frame may have to reach for the kernel to deliver
   * it at once; -1: however many. Otherwise it goes through a queue, behind later unicast frames, and
   * is lost when that is full. Undefined: the kernel's own, 1. Older kernels than 6.4 take no notice.
   */
  readonly broadcastCutoff?: number;
}

/** `… link LOWER type macvtap mode passthru bccutoff -1` */
export function encodeMacvtap(writer: AttrWriter, attrs: Omit<MacvtapAttrs, "kind">): void {
  writer.u32(IFLA_MACVLAN_MODE, attrs.mode);
  if (attrs.broadcastCutoff !== undefined) {
    writer.u32(IFLA_MACVLAN_BC_CUTOFF, attrs.broadcastCutoff);
  }
}

export function decodeMacvtap(data: Uint8Array): MacvtapAttrs {
  let mode = 0;
  let broadcastCutoff: number | undefined;
  for (const { type, value } of readAttrs(data)) {
    if (type === IFLA_MACVLAN_MODE) mode = readU32(value);
    // Signed, and told only where it is not the kernel's own.
    if (type === IFLA_MACVLAN_BC_CUTOFF) broadcastCutoff = readU32(value) | 0;
  }
  return { kind: "macvtap", mode, ...(broadcastCutoff === undefined ? {} : { broadcastCutoff }) };
}
