/** Everything that the kernel has of a LAN, so that two ways to make it can be compared. */

import type { IpLink, LabNode } from "../../tests/support/netns_lab.ts";
import { runProgram } from "../../tests/support/lab_process.ts";
import type { BenchLan } from "./topology.ts";

/** One line for each fact: links of all namespaces with their attributes, parameters, tap nodes. */
export async function snapshot(node: LabNode, wanted: BenchLan): Promise<string> {
  const { netns: { path }, attachments } = wanted;
  const spokes = attachments.map(({ spoke }) => spoke);
  const facts = [
    ...await linkFacts(node.netns, (link) => spokes.includes(link.ifname)),
    ...await linkFacts(path, () => true),
    ...await sysctlFacts(node.netns, spokes),
    ...await sysctlFacts(path, ["all", "default"]),
  ];
  for (const { target = "", ifname, index } of attachments) {
    facts.push(...await linkFacts(target, (link) => link.ifname === ifname));
    facts.push(...await sysctlFacts(target, [ifname]));
    facts.push(await runProgram(["stat", "-c", "%n %a %u:%g", `/dev/tap${index}`]));
  }
  return facts.join("\n");
}

/**
 * Indexes that the kernel chose, ids of namespaces, what follows from time, and queues that are there
 * without being used.
 */
const ACCIDENTAL = new Set([
  ...["link_index", "link_netnsid", "operstate", "linkmode"],
  ...["num_tx_queues", "num_rx_queues"],
]);
/** Below this an index was chosen by the kernel. */
const FIRST_GIVEN_INDEX = 2 ** 20;

async function linkFacts(netns: string, isMeant: (link: IpLink) => boolean): Promise<string[]> {
  const output = await runProgram(["nsenter", `--net=${netns}`, "ip", "-d", "-j", "link"]);
  const links: IpLink[] = JSON.parse(output);
  return links.filter(isMeant).map((link) => stable(link)).sort();
}

function stable(link: IpLink): string {
  return JSON.stringify(link, (key, value) => {
    if (key === "ifindex" && value < FIRST_GIVEN_INDEX) return undefined;
    // Timers and states of a bridge port run on.
    return ACCIDENTAL.has(key) || /timer|^state$|root_id|bridge_id|designated/.test(key)
      ? undefined
      : value;
  });
}

async function sysctlFacts(netns: string, links: readonly string[]): Promise<string[]> {
  const names = links.flatMap((link) => [
    `net/ipv6/conf/${link}/disable_ipv6`,
    `net/ipv4/conf/${link}/rp_filter`,
  ]);
  return [await runProgram(["nsenter", `--net=${netns}`, "sysctl", ...names])];
}
