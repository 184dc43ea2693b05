/** The LAN of row "lan" as a shell script around `ip -batch`, in as few processes as it takes. */

import type { PlainLan } from "./topology.ts";

/** A program of `/bin/sh` that makes the LAN from the namespace of its node. */
export function ipScript(lan: PlainLan): string {
  const { path, bridge, vxlan, spokes, mtu } = lan;
  const bridgeArgs = `stp_state 0 mcast_snooping 0 ageing_time ${lan.ageing * 100}`;
  return [
    "set -e",
    `echo '${lan.mark}' > ${path}`,
    // One shell in the new namespace writes the parameters itself, then becomes `ip`.
    ...inside(`unshare --net=${path}`, ["ipv6/conf/default", "ipv6/conf/all"].map(ipv6Off), [
      `link set lo up alias '${lan.mark}'`,
      `link add ${bridge.name} index ${bridge.index} address ${bridge.address} mtu ${mtu} up` +
      ` type bridge ${bridgeArgs}`,
      `link set ${bridge.name} alias '${bridge.alias}'`,
    ]),
    ...batch("ip -batch -", [
      `link add ${vxlan.name} address ${vxlan.address} mtu ${vxlan.mtu} netns ${path} up type vxlan` +
      ` id ${vxlan.vni} group ${vxlan.group} dev ${vxlan.underlayName} dstport ${vxlan.port}` +
      ` ttl ${vxlan.hopLimit} ageing ${lan.ageing}`,
      ...spokes.flatMap((spoke) => [
        `link add ${spoke.name} index ${spoke.index} address ${spoke.address} mtu ${spoke.mtu}` +
        ` type veth peer name ${spoke.port} address ${spoke.portAddress} mtu ${spoke.mtu}` +
        ` netns ${path}`,
        `link set ${spoke.name} arp off alias '${spoke.alias}'`,
        `link add link ${spoke.name} name ${spoke.ifname} index ${spoke.index}` +
        ` netns ${spoke.target} type macvtap mode passthru`,
      ]),
    ]),
    ...spokes.flatMap(({ name }) => [
      ipv6Off(`ipv6/conf/${name}`),
      `echo 1 > /proc/sys/net/ipv4/conf/${name}/rp_filter`,
    ]),
    ...batch(`nsenter --net=${path} ip -batch -`, [
      ...joined(lan, vxlan.name, `alias '${vxlan.alias}'`),
      ...spokes.flatMap((spoke) => joined(lan, spoke.port, `up alias '${spoke.portAlias}'`)),
    ]),
    ...batch("ip -batch -", spokes.map(({ name }) => `link set ${name} up`)),
    ...spokes.flatMap((spoke) =>
      inside(`nsenter --net=${spoke.target}`, [ipv6Off(`ipv6/conf/${spoke.ifname}`)], [
        `link set ${spoke.ifname} up allmulticast on alias '${spoke.alias}'`,
      ])
    ),
    `chmod 600 ${taps(lan)}`,
    `chown ${spokes[0]?.ownerUid}:${spokes[0]?.ownerGid} ${taps(lan)}`,
  ].join("\n");
}

/** The namespace alone. */
export function ipNetnsScript(lan: PlainLan): string {
  const off = ["ipv6/conf/default", "ipv6/conf/all"].map(ipv6Off);
  return [
    "set -e",
    `echo '${lan.mark}' > ${lan.path}`,
    ...inside(`unshare --net=${lan.path}`, off, [`link set lo up alias '${lan.mark}'`]),
  ].join("\n");
}

function taps({ spokes }: PlainLan): string {
  return spokes.map(({ index }) => `/dev/tap${index}`).join(" ");
}

function ipv6Off(where: string): string {
  return `echo 1 > /proc/sys/net/${where}/disable_ipv6`;
}

function joined({ bridge, forwardMask }: PlainLan, name: string, more: string): string[] {
  return [
    `link set ${name} master ${bridge.name} ${more}`,
    `link set ${name} type bridge_slave group_fwd_mask ${forwardMask}`,
  ];
}

function batch(command: string, lines: readonly string[]): string[] {
  return [`${command} <<'END'`, ...lines, "END"];
}

function inside(enter: string, shell: readonly string[], ip: readonly string[]): string[] {
  return batch(`${enter} sh -c '${shell.join("; ")}; exec ip -batch -'`, ip);
}
