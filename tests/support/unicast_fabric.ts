/** Networks between the nodes of a lab on which multicast gets nowhere. */

import type { AgentLab, AgentNode } from "./agent_lab.ts";
import { runProgram } from "./lab_process.ts";
import { until } from "./until.ts";

/** Address of each node, by its name. */
export type Addresses = ReadonlyMap<string, string>;

/**
 * One segment whose switch drops multicast, neighbour discovery included: nodes know each other's
 * addresses as those of clouds do, whose network answers for all.
 */
export async function dropMulticast({ net, nodes }: AgentLab): Promise<Addresses> {
  const neighbours = await Promise.all(nodes.map(async (node) => {
    const link = (await node.host.links()).find(({ ifname }) => ifname === "eth1");
    return { node, mac: link!.address, address: await node.host.linkLocal("eth1") };
  }));
  const switching = nodes.map(({ name }) =>
    `ip link set dev ${name} type bridge_slave mcast_flood off`
  );
  await net.run(net.netnsPath("fabric"), ["sh", "-euc", switching.join("\n")]);
  await Promise.all(neighbours.map(({ node }) => {
    const known = neighbours.filter((other) => other.node !== node).map(({ address, mac }) =>
      `ip -6 neigh replace ${address} lladdr ${mac} dev eth1 nud permanent`
    );
    return node.host.run(["sh", "-euc", known.join("\n")]);
  }));
  return new Map(neighbours.map(({ node, address }) => [node.name, address]));
}

/** A router between all nodes: each is on a network of its own. */
export async function routeBetween(lab: AgentLab): Promise<Addresses> {
  const { net, nodes } = lab;
  await net.run(net.netnsPath("fabric"), ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"]);
  const addresses = new Map<string, string>();
  for (const [at, node] of nodes.entries()) {
    addresses.set(node.name, await routeFrom(lab, node, at + 1));
  }
  return addresses;
}

/** A device of a node, and the router's end of it. */
export interface RoutedDevice {
  readonly device: string;
  readonly peer: string;
  /** Of the way through it to other nodes: the lowest is taken. */
  readonly metric: number;
}

/** Puts the device on network `number` of the router; returns the node's address there. */
export async function routeFrom(
  { net }: AgentLab,
  { host, name }: AgentNode,
  number: number,
  { device, peer, metric }: RoutedDevice = { device: "eth1", peer: name, metric: 1024 },
): Promise<string> {
  const network = `2001:db8:${number}:`;
  await net.run(net.netnsPath("fabric"), [
    ...["sh", "-euc"],
    `ip link set dev ${peer} nomaster; ip addr replace ${network}:1/64 dev ${peer} nodad`,
  ]);
  await host.run([
    ...["sh", "-euc"],
    `ip addr replace ${network}:2/64 dev ${device} nodad;` +
    `ip route replace default via ${network}:1 dev ${device} metric ${metric}`,
  ]);
  return `${network}:2`;
}

/** Gives each agent the addresses of all nodes, its own among them: one list is good for all. */
export async function tellPeers(lab: AgentLab, addresses: Addresses): Promise<void> {
  await Promise.all(lab.nodes.map((node) => node.putPeers([...addresses.values()])));
}

/** A line of `bridge fdb show`. */
interface FdbEntry {
  readonly mac: string;
  readonly dst?: string;
}

/** What `bridge` says of a LAN's VXLAN `vx2`: by address of the peer, the stations that are there. */
export async function tableOf(node: AgentNode): Promise<Readonly<Record<string, string[]>>> {
  const show = ["bridge", "-j", "fdb", "show", "dev", "vx2"];
  const text = await runProgram(["nsenter", `--net=${node.netnsDir}/knlvrf`, "--", ...show]);
  const entries: readonly FdbEntry[] = JSON.parse(text);
  const table: Record<string, string[]> = {};
  for (const { mac, dst } of entries) if (dst !== undefined) (table[dst] ??= []).push(mac);
  return table;
}

const ALL = "00:00:00:00:00:00";

/** Waits until the node sends what is for all to exactly these nodes. */
export async function untilSendsTo(
  node: AgentNode,
  addresses: Addresses,
  ...names: readonly string[]
): Promise<void> {
  const wanted = names.map((name) => addresses.get(name)).sort().join();
  await until(`"${node.name}" sends to ${names.join(" and ") || "nobody"}`, async () => {
    const table = await tableOf(node);
    return Object.keys(table).filter((dst) => table[dst]!.includes(ALL)).sort().join() === wanted;
  });
}
