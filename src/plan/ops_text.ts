/** Operations as the `ip` commands that a person would type for the same effect. */

import {
  AGEING_SECONDS,
  BRIDGE_BIRTH_MTU,
  GROUP_FORWARD_MASK,
  HOST,
  type NetOp,
  type Place,
} from "./ops.ts";

/** The shell lines of one operation, without a newline. */
export function opText(op: NetOp): string[] {
  switch (op.op) {
    case "create-netns":
      return [
        `mkdir -p ${quote(parent(op.path))} && touch ${quote(op.path)}`,
        `unshare --net=${quote(op.path)} true`,
        at(op.path, "sysctl -qw net/ipv6/conf/default/disable_ipv6=1"),
        at(op.path, `ip link set lo up alias ${quote(op.mark)}`),
      ];
    case "create-bridge":
      return [
        at(
          op.at,
          `ip link add ${op.name} index ${op.index} address ${op.address} mtu ${BRIDGE_BIRTH_MTU} type bridge ${BRIDGE}`,
        ),
        at(op.at, `ip link set ${op.name} mtu ${op.mtu}`),
      ];
    case "set-bridge":
      return [at(op.at, `ip link set ${op.name} type bridge ${BRIDGE}`)];
    case "create-vxlan":
      return [
        `ip link add ${op.name} address ${op.address} mtu ${op.mtu} netns ${quote(op.at)}` +
        ` type vxlan id ${op.vni} group ${op.group} dev ${op.underlay.name}` +
        ` dstport ${op.port} ttl ${op.hopLimit} ageing ${AGEING_SECONDS}`,
      ];
    case "create-veth":
      return [
        `ip link add ${op.name}${op.index === undefined ? "" : ` index ${op.index}`}` +
        ` address ${op.address} mtu ${op.mtu}${netns(op.at)} type veth` +
        ` peer name ${op.peer.name} address ${op.peer.address} mtu ${op.peer.mtu}${
          netns(op.peer.at)
        }`,
      ];
    case "create-macvtap":
      return [
        `ip link add link ${op.lower.name} name ${op.name} index ${op.index}${netns(op.at)}` +
        ` type macvtap mode passthru`,
      ];
    case "change-link": {
      const words = [
        op.mtu === undefined ? [] : ["mtu", `${op.mtu}`],
        op.arp === undefined ? [] : ["arp", op.arp ? "on" : "off"],
        op.allMulticast === undefined ? [] : ["allmulticast", op.allMulticast ? "on" : "off"],
        op.alias === undefined ? [] : ["alias", quote(op.alias)],
        op.up === undefined ? [] : [op.up ? "up" : "down"],
      ].flat();
      return [at(op.at, `ip link set ${op.name} ${words.join(" ")}`)];
    }
    case "join-bridge":
      return [
        at(op.at, `ip link set ${op.name} master ${op.bridge}`),
        at(
          op.at,
          `ip link set ${op.name} type bridge_slave group_fwd_mask 0x${
            GROUP_FORWARD_MASK.toString(16)
          }`,
        ),
      ];
    case "isolate-host-end":
      return [
        `sysctl -qw net/ipv6/conf/${op.name}/disable_ipv6=1`,
        `sysctl -qw net/ipv4/conf/${op.name}/rp_filter=1`,
      ];
    case "disable-ipv6":
      return [at(op.at, `sysctl -qw net/ipv6/conf/${op.name}/disable_ipv6=1`)];
    case "own-tap":
      return [`chown ${op.owner.uid}:${op.owner.gid} /dev/tap${op.index}`];
    case "delete-link":
      return [at(op.at, `ip link del ${op.name}`)];
    case "delete-netns":
      return [`umount ${quote(op.path)} && rm ${quote(op.path)}`];
  }
}

const BRIDGE = `stp_state 0 mcast_snooping 0 ageing_time ${AGEING_SECONDS * 100}`;

function at(place: Place, command: string): string {
  return place === HOST ? command : `nsenter --net=${quote(place)} ${command}`;
}

function netns(place: Place): string {
  return place === HOST ? "" : ` netns ${quote(place)}`;
}

function parent(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

/** A word for a POSIX shell. */
function quote(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
