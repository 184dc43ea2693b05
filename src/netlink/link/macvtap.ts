/** Attributes of a macvtap (linux/if_link.h, IFLA_MACVLAN_*). */

import { type AttrWriter, readAttrs, readU32 } from "../wire/attrs.ts";
import { IFLA_MACVLAN_MODE } from "../wire/constants.ts";

export interface MacvtapAttrs {
  readonly kind: "macvtap";
  /** MACVLAN_MODE_*; 8 is passthru: every unicast frame, one macvtap per lower link. */
  readonly mode: number;
}

/** `… link LOWER type macvtap mode passthru` */
export function encodeMacvtap(writer: AttrWriter, attrs: Omit<MacvtapAttrs, "kind">): void {
  writer.u32(IFLA_MACVLAN_MODE, attrs.mode);
}

export function decodeMacvtap(data: Uint8Array): MacvtapAttrs {
  let mode = 0;
  for (const { type, value } of readAttrs(data)) {
    if (type === IFLA_MACVLAN_MODE) mode = readU32(value);
  }
  return { kind: "macvtap", mode };
}
