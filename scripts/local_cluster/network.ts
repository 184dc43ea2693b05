/**
 * The network of a cluster: a namespace for the control plane and one for each node, with two
 * switches between them. The machine's own network sees nothing of it.
 */

import { runProgram } from "../../tests/support/lab_process.ts";
import {
  type ClusterLayout,
  inNetns,
  NODE_PREFIX_LENGTH,
  type NodeLayout,
  type PlaceLayout,
} from "./layout.ts";

/** The control plane is on the first; both are there to carry LANs. */
const SWITCHES = ["eth0", "eth1"];

/** Makes the namespaces of fabric, control plane and nodes, without any link between them. */
export async function makeNamespaces({ dir, fabric, control, nodes }: ClusterLayout) {
  const ns = `${dir}/ns`;
  await Deno.mkdir(ns, { recursive: true });
  // A mount namespace can be held only by a file on a mount that is not shared.
  await runProgram(["mount", "--bind", ns, ns]);
  await runProgram(["mount", "--make-private", ns]);
  for (const { netns } of [fabric, control]) {
    await touch(netns);
    await runProgram(["unshare", `--net=${netns}`, "ip", "link", "set", "lo", "up"]);
  }
  for (const { netns, mountns, utsns, name } of nodes) {
    for (const path of [netns, mountns, utsns]) await touch(path);
    await runProgram([
      ...["unshare", `--net=${netns}`, `--mount=${mountns}`, `--uts=${utsns}`],
      ...["--propagation=private", "sh", "-euc"],
      `ip link set lo up; hostname '${name}'`,
    ]);
  }
}

/** Makes switches, links, addresses and routes. */
export async function wire(layout: ClusterLayout): Promise<void> {
  const { fabric, control, nodes } = layout;
  // Snooping without a querier would drop the multicast that VXLANs live on.
  const switches = SWITCHES.map((name) => `ip link add ${name} up type bridge mcast_snooping 0`);
  await runIn(fabric, switches);
  await runIn(control, [
    ...settings(),
    ...link(fabric, "control", "eth0"),
    address(control),
    ...nodes.map((node) => `ip route add ${node.podSubnet} via ${node.address}`),
  ]);
  await Promise.all(nodes.map((node) => wireNode(layout, node)));
}

async function wireNode({ fabric, control, nodes }: ClusterLayout, node: NodeLayout) {
  await runIn(node, [
    ...settings(),
    ...SWITCHES.flatMap((name) => link(fabric, `${node.shortName}.${name}`, name)),
    address(node),
    // Without any route the address of a service would be refused before kube-proxy replaces it.
    // The control plane answers at once that nothing lies behind it.
    `ip route add default via ${control.address}`,
    ...nodes.filter((other) => other !== node).map((other) =>
      `ip route add ${other.podSubnet} via ${other.address}`
    ),
  ]);
}

function settings(): string[] {
  return [
    "sysctl -qw net.ipv4.ip_forward=1",
    // Duplicate address detection would take two seconds, and there are no duplicates.
    "sysctl -qw net.ipv6.conf.default.accept_dad=0",
  ];
}

/** A link `name` of this namespace into the switch `name`, where its other end is `port`. */
function link(fabric: PlaceLayout, port: string, name: string): string[] {
  const inFabric = `nsenter --net='${fabric.netns}'`;
  return [
    `ip link add ${name} type veth peer name ${port} netns '${fabric.netns}'`,
    `${inFabric} ip link set dev ${port} master ${name} up`,
    `ip link set dev ${name} up`,
  ];
}

function address({ address }: PlaceLayout): string {
  return `ip addr add ${address}/${NODE_PREFIX_LENGTH} dev eth0`;
}

async function runIn(place: PlaceLayout, lines: readonly string[]): Promise<void> {
  await runProgram(inNetns(place, "sh", "-euc", lines.join("\n")));
}

async function touch(path: string): Promise<void> {
  await Deno.writeTextFile(path, "");
}
