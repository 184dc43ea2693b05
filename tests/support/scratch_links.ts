/** Links that tests of the kernel need time and again. */

import type { BridgeAttrs } from "../../src/netlink/link/bridge.ts";
import type { LinkInfo } from "../../src/netlink/link_info.ts";
import { changeLink, createLink } from "../../src/netlink/link_request.ts";
import type { Request } from "../../src/netlink/wire/message.ts";
import { readLink, type ScratchNetns } from "./scratch_netns.ts";

export const BRIDGE: BridgeAttrs = {
  kind: "bridge",
  stp: false,
  multicastSnooping: false,
  ageingSeconds: 300,
};

export const MTU = 1426;
export const HOST_MAC = "02:00:00:00:04:01";
export const PORT_MAC = "02:00:00:00:04:02";

/** Both ends of a spoke in one message, the port born in `lan`. */
export function createSpoke(lan: ScratchNetns, name = "pod1"): Request {
  return createLink({
    name,
    mtu: MTU,
    address: HOST_MAC,
    up: true,
    attrs: {
      kind: "veth",
      peer: { name: `${name}.b`, mtu: MTU, address: PORT_MAC, netnsFd: lan.netns.number },
    },
  });
}

/** A pair that stands for a network card and its wire. */
export function addUnderlay(host: ScratchNetns): LinkInfo {
  host.client.execute([
    createLink({ name: "eth1", up: true, attrs: { kind: "veth", peer: { name: "wire" } } }),
    changeLink({ name: "wire" }, { up: true }),
  ]);
  return readLink(host, { name: "eth1" });
}
