/** Operations as the `ip` commands that a person would type for the same effect. */

import { UNKNOWN_MAC } from "../base/mac.ts";
import {
  AGEING_SECONDS,
  BRIDGE_BIRTH_MTU,
  type CreateVxlan,
  FILTER_TABLE,
  filterChain,
  type FilterPort,
  GROUP_FORWARD_MASK,
  HOST,
  type NetOp,
  type Place,
  VETH_QUEUES,
} from "./ops.ts";

/** The shell lines of one operation, without a newline. */
export function opText(op: NetOp): string[] {
  switch (op.op) {
    case "create-netns":
      return [
        `mkdir -p ${quote(parent(op.path))} && touch ${quote(op.path)}`,
        `unshare --net=${quote(op.path)} true`,
        at(op.path, sysctl("ipv6", "default", "disable_ipv6")),
        at(op.path, sysctl("ipv6", "all", "disable_ipv6")),
        at(op.path, `ip link set dev lo up alias ${quote(op.mark)}`),
      ];
    case "create-bridge":
      return [
        at(
          op.at,
          `ip link add name ${quote(op.name)} index ${op.index} address ${op.address}` +
            ` mtu ${BRIDGE_BIRTH_MTU} type bridge ${BRIDGE}`,
        ),
        at(op.at, `ip link set dev ${quote(op.name)} mtu ${op.mtu}`),
      ];
    case "set-bridge":
      return [at(op.at, `ip link set dev ${quote(op.name)} type bridge ${BRIDGE}`)];
    case "create-vxlan":
      return [
        `ip link add name ${quote(op.name)}${vxlanIndex(op)} address ${op.address}` +
        ` mtu ${op.mtu}${netns(op.at)} type vxlan id ${op.vni}` +
        (op.group === undefined ? "" : ` group ${op.group}`) +
        (op.local === undefined ? "" : ` local ${op.local}`) +
        ` dev ${quote(op.underlay.name)}` +
        ` dstport ${op.port} ttl ${op.hopLimit} ageing ${AGEING_SECONDS}`,
      ];
    case "change-peers": {
      const via = op.via === undefined ? "" : ` via if${indexOf(op.via.name)}`;
      return [
        ...op.add.map((dst) =>
          `bridge fdb append ${UNKNOWN_MAC} dev ${quote(op.name)} dst ${dst}${via} self permanent`
        ),
        ...op.remove.map(({ mac, dst, via }) =>
          `bridge fdb del ${mac} dev ${quote(op.name)} dst ${dst}` +
          `${via === undefined ? "" : ` via if${via}`} self`
        ),
      ].map((command) => at(op.at, command));
    }
    case "create-veth":
      return [
        `ip link add name ${quote(op.name)}${op.index === undefined ? "" : ` index ${op.index}`}` +
        ` address ${op.address} mtu ${op.mtu} ${QUEUES}${netns(op.at)} type veth` +
        ` peer name ${
          quote(op.peer.name)
        } address ${op.peer.address} mtu ${op.peer.mtu} ${QUEUES}` +
        netns(op.peer.at),
      ];
    case "create-macvtap":
      return [
        `ip link add link ${quote(op.lower.name)} name ${quote(op.name)} index ${op.index}` +
        `${netns(op.at)} type macvtap mode passthru`,
      ];
    case "change-link": {
      const words = [
        op.mtu === undefined ? [] : ["mtu", `${op.mtu}`],
        op.address === undefined ? [] : ["address", op.address],
        op.arp === undefined ? [] : ["arp", op.arp ? "on" : "off"],
        op.allMulticast === undefined ? [] : ["allmulticast", op.allMulticast ? "on" : "off"],
        op.alias === undefined ? [] : ["alias", quote(op.alias)],
        op.up === undefined ? [] : [op.up ? "up" : "down"],
      ].flat();
      return [at(op.at, `ip link set dev ${quote(op.name)} ${words.join(" ")}`)];
    }
    case "join-bridge":
      return [
        at(op.at, `ip link set dev ${quote(op.name)} master ${quote(op.bridge)}`),
        at(
          op.at,
          `ip link set dev ${quote(op.name)} type bridge_slave group_fwd_mask 0x${
            GROUP_FORWARD_MASK.toString(16)
          }`,
        ),
      ];
    case "filter-port":
      return [at(op.at, `nft ${quote(filterText(op).join("; "))}`)];
    case "unfilter-port":
      return [at(op.at, `nft delete chain netdev ${FILTER_TABLE} ${filterChain(op.name)}`)];
    case "delete-filters":
      return [at(op.path, `nft delete table netdev ${FILTER_TABLE}`)];
    case "isolate-host-end":
      return [
        sysctl("ipv6", op.name, "disable_ipv6"),
        sysctl("ipv4", op.name, "rp_filter"),
      ];
    case "disable-ipv6":
      return [at(op.at, sysctl("ipv6", op.name, "disable_ipv6"))];
    case "own-tap":
      return [
        `chmod 600 /dev/tap${op.index}`,
        `chown ${op.owner.uid}:${op.owner.gid} /dev/tap${op.index}`,
      ];
    case "delete-link":
      return [at(op.at, `ip link del dev ${quote(op.name)}`)];
    case "delete-netns":
      return [`umount ${quote(op.path)} && rm ${quote(op.path)}`];
  }
}

/** One transaction, as `nft` makes it of what stands in one argument. */
function filterText({ name, replaces, mac, broadcast }: FilterPort): string[] {
  const chain = `${FILTER_TABLE} ${filterChain(name)}`;
  const rule = (text: string) => `add rule netdev ${chain} ${text} counter drop`;
  return [
    `add table netdev ${FILTER_TABLE}`,
    ...(replaces ? [`add chain netdev ${chain}`, `delete chain netdev ${chain}`] : []),
    `create chain netdev ${chain} { type filter hook ingress device "${name}" priority 0; policy accept; }`,
    ...(mac === undefined ? [] : [rule(`ether saddr != ${mac}`)]),
    ...(broadcast === undefined ? [] : [
      rule(
        "ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00" +
          ` limit rate over ${broadcast.rate}/second burst ${broadcast.burst} packets`,
      ),
    ]),
  ];
}

const QUEUES = `numtxqueues ${VETH_QUEUES} numrxqueues ${VETH_QUEUES}`;
const BRIDGE = `stp_state 0 mcast_snooping 0 ageing_time ${AGEING_SECONDS * 100}`;

function vxlanIndex({ index, underlay }: CreateVxlan): string {
  if (index === undefined) return "";
  return ` index ${index === underlay.index ? indexOf(underlay.name) : index}`;
}

/** Of a device in the host's namespace, wherever the command is carried out. */
function indexOf(name: string): string {
  return `$(ip -o link show dev ${quote(name)} | cut -d: -f1)`;
}

/** Keys with slashes take dots in a link's name for what they are. */
function sysctl(family: "ipv4" | "ipv6", link: string, key: string): string {
  return `sysctl -qw ${quote(`net/${family}/conf/${link}/${key}=1`)}`;
}

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
