/** What the kernel has, as `ip` tells it: a witness that shares no code with k8slan. */

import type { Shell } from "./demo_shell.ts";
import { runDir } from "./demo_product.ts";
import { exists, IFNAME, inNetns, netnsPath, type Worker, type Workload } from "./demo_world.ts";

/** What the demo reads of `ip -d -j address`. */
export interface Link {
  readonly ifindex: number;
  /** Of the other end of a veth pair, or of the device beneath. */
  readonly link_index?: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly address: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
  };
  readonly addr_info: readonly { readonly local: string }[];
}

/** The links of a namespace but its loopback. */
export async function linksIn(shell: Shell, netns: string): Promise<readonly Link[]> {
  const links: Link[] = JSON.parse(
    await shell.run(inNetns(netns, "ip", "-d", "-j", "address")),
  );
  return links.filter(({ ifname }) => ifname !== "lo");
}

/** A workload's interface on the LAN, if it has one. */
export async function workloadLink(shell: Shell, { name }: Workload): Promise<Link | undefined> {
  return (await linksIn(shell, netnsPath(name))).find(({ ifname }) => ifname === IFNAME);
}

/** Paths of the namespaces of LANs on a worker. */
export async function lanNamespaces({ name }: Worker): Promise<readonly string[]> {
  const folder = `${runDir(name)}/netns`;
  if (!await exists(folder)) return [];
  const names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
  return names.sort().map((entry) => `${folder}/${entry}`);
}

/** A worker and the LAN in it, as rows of a table: name, kind, what it is there for. */
export async function workerRows(
  shell: Shell,
  worker: Worker,
  workloads: readonly Workload[],
): Promise<string[][]> {
  const hostLinks = await linksIn(shell, netnsPath(worker.name));
  const rows = [[worker.name], ...hostLinks.map((link) => hostRow(link, worker))];
  for (const path of await lanNamespaces(worker)) {
    rows.push([
      `  ${path.slice(path.lastIndexOf("/") + 1)}`,
      "namespace",
      "the LAN on this worker",
    ]);
    const links = await linksIn(shell, path);
    for (const bridge of links.filter(({ master }) => master === undefined)) {
      rows.push([`    ${bridge.ifname}`, kindOf(bridge), `MTU ${bridge.mtu}, with these ports:`]);
      for (const port of links.filter(({ master }) => master === bridge.ifname)) {
        const purpose = portPurpose(port, hostLinks, workloads);
        rows.push([`      ${port.ifname}`, kindOf(port), purpose]);
      }
    }
  }
  return rows;
}

function hostRow(link: Link, { device }: Worker): string[] {
  const { ifname, mtu } = link;
  const purpose = ifname === device
    ? `the underlay: this worker's way to the others, MTU ${mtu}`
    : `spoke, the other end of ${ifname}.b`;
  return [`  ${ifname}`, kindOf(link), purpose];
}

function portPurpose(
  { ifname, link_index, linkinfo }: Link,
  hostLinks: readonly Link[],
  workloads: readonly Workload[],
): string {
  const data = linkinfo?.info_data ?? {};
  if (linkinfo?.info_kind === "vxlan") {
    const underlay = hostLinks.find(({ ifindex }) => ifindex === link_index)?.ifname ?? "nowhere";
    return `VNI ${data["id"]} over ${underlay}, multicast group ${data["group6"]}`;
  }
  const held = workloads.find(({ spoke }) => spoke !== undefined && `${spoke}.b` === ifname);
  if (held !== undefined) return `to spoke ${held.spoke}, on which ${IFNAME} of ${held.name} lies`;
  const spokeless = workloads.find(({ spoke }) => spoke === undefined);
  return `to ${IFNAME} of ${spokeless?.name}`;
}

function kindOf({ linkinfo }: Link): string {
  return linkinfo?.info_kind ?? "";
}
