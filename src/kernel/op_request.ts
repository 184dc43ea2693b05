/** Operations → netlink requests. */

import { UNKNOWN_MAC } from "../base/mac.ts";
import { appendForwarding, deleteForwarding } from "../netlink/forwarding.ts";
import {
  changeBridge,
  changeBridgePort,
  changeLink,
  createLink,
  deleteLink,
} from "../netlink/link_request.ts";
import { MACVLAN_MODE_PASSTHRU } from "../netlink/wire/constants.ts";
import type { Request } from "../netlink/wire/message.ts";
import { BRIDGE_INDEX } from "../plan/identity.ts";
import {
  AGEING_SECONDS,
  BRIDGE_BIRTH_MTU,
  GROUP_FORWARD_MASK,
  HOST,
  type NetOp,
  type Place,
  VETH_QUEUES,
} from "../plan/ops.ts";

const BRIDGE = { stp: false, multicastSnooping: false, ageingSeconds: AGEING_SECONDS };

/** Makes a VXLAN of IPv6 that goes by its table. */
const NO_GROUP = "::";

/** Netlink requests and the namespace whose socket they go through. */
export interface PlacedRequests {
  readonly at: Place;
  readonly requests: readonly Request[];
}

/**
 * The requests of an operation; undefined for one that is not netlink's. `fdOf` opens a namespace.
 * Links that span two namespaces are made from the host's, where their lower devices are.
 */
export function opRequests(
  op: NetOp,
  fdOf: (place: Place) => number,
): PlacedRequests | undefined {
  switch (op.op) {
    case "create-bridge": {
      const { at, name, index, mtu, address } = op;
      const attrs = { kind: "bridge", ...BRIDGE } as const;
      const born = { name, index, mtu: BRIDGE_BIRTH_MTU, address, attrs };
      return { at, requests: [createLink(born), changeLink({ index }, { mtu })] };
    }
    case "set-bridge":
      return { at: op.at, requests: [changeBridge({ name: op.name }, BRIDGE)] };
    case "create-vxlan": {
      const { name, index, mtu, address, vni, local, port, hopLimit, underlay } = op;
      const attrs = {
        kind: "vxlan",
        ...{ vni, port, hopLimit, underlayIndex: underlay.index },
        group: op.group ?? NO_GROUP,
        ...(local === undefined ? {} : { local }),
        learning: true,
        ageingSeconds: AGEING_SECONDS,
      } as const;
      const netnsFd = fdOf(op.at);
      const link = { name, mtu, address, netnsFd, ...(index === undefined ? {} : { index }) };
      return { at: HOST, requests: [createLink({ ...link, attrs })] };
    }
    case "change-peers": {
      const { at, index, add, remove } = op;
      const via = op.via === undefined ? {} : { via: op.via.index };
      return {
        at,
        requests: [
          ...add.map((dst) => appendForwarding(index, { mac: UNKNOWN_MAC, dst, ...via })),
          ...remove.map((entry) => deleteForwarding(index, entry)),
        ],
      };
    }
    case "create-veth": {
      const { name, mtu, address, index } = op;
      const peer = {
        ...{ name: op.peer.name, mtu: op.peer.mtu, address: op.peer.address, queues: VETH_QUEUES },
        ...born(op.peer.at, fdOf),
      };
      const link = {
        name,
        mtu,
        address,
        queues: VETH_QUEUES,
        ...(index === undefined ? {} : { index }),
      };
      const attrs = { kind: "veth", peer } as const;
      return { at: HOST, requests: [createLink({ ...link, ...born(op.at, fdOf), attrs })] };
    }
    case "create-macvtap": {
      const { name, index } = op;
      const attrs = { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU, broadcastCutoff: -1 } as const;
      const link = { name, index, link: op.lower.index, ...born(op.at, fdOf) };
      return { at: HOST, requests: [createLink({ ...link, attrs })] };
    }
    case "change-link": {
      const { op: _op, at, name, index, ...change } = op;
      return { at, requests: [changeLink(index === undefined ? { name } : { index }, change)] };
    }
    case "join-bridge":
      return {
        at: op.at,
        requests: [
          changeLink({ name: op.name }, { master: BRIDGE_INDEX }),
          changeBridgePort({ name: op.name }, { groupForwardMask: GROUP_FORWARD_MASK }),
        ],
      };
    case "delete-link":
      return { at: op.at, requests: [deleteLink({ name: op.name })] };
    default:
      return undefined;
  }
}

function born(place: Place, fdOf: (place: Place) => number): { netnsFd?: number } {
  return place === HOST ? {} : { netnsFd: fdOf(place) };
}
