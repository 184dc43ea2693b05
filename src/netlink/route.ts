/** Routes (rtnetlink(7), RTM_NEWROUTE). */

import { parseIp, parsePrefix } from "../base/ip.ts";
import { AttrWriter } from "./wire/attrs.ts";
import {
  AF_INET,
  AF_INET6,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTA_DST,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_OIF,
  RTA_PRIORITY,
  RTAX_MTU,
  RTM_NEWROUTE,
  RTN_UNICAST,
  RTPROT_STATIC,
} from "./wire/constants.ts";
import type { Request } from "./wire/message.ts";

export interface Route {
  /** CIDR; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly dst: string;
  readonly gateway?: string;
  readonly mtu?: number;
  readonly priority?: number;
}

/** `ip route replace DST [via GATEWAY] dev INDEX [metric N] [mtu N] proto static` */
export function setRoute(index: number, route: Route): Request {
  const { address, length } = parsePrefix(route.dst);
  const dst = parseIp(address);
  const scope = route.gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
  const header = new Uint8Array(12);
  header.set([dst.length === 4 ? AF_INET : AF_INET6, length, 0, 0, RT_TABLE_MAIN]);
  header.set([RTPROT_STATIC, scope, RTN_UNICAST], 5);
  const writer = new AttrWriter().raw(header);
  if (length > 0) writer.bytes(RTA_DST, dst);
  writer.u32(RTA_OIF, index);
  if (route.gateway !== undefined) writer.bytes(RTA_GATEWAY, parseIp(route.gateway));
  if (route.priority !== undefined) writer.u32(RTA_PRIORITY, route.priority);
  const { mtu } = route;
  if (mtu !== undefined) writer.nested(RTA_METRICS, (inner) => inner.u32(RTAX_MTU, mtu));
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    payload: writer.finish(),
    summary: `set route ${route.dst} on link #${index}`,
  };
}
