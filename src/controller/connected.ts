/** Condition `Connected` of a LAN: what the nodes' probes say, put together. Pure. */

import type { NodeReport } from "./lan_report.ts";
import { counted, quoted, textList } from "../base/text_list.ts";

export interface ConnectedSaying {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** In the order in which they matter: the first that is there speaks for the whole. */
const ADVICE = {
  Unreachable: "look whether the agents run there, and whether the underlay carries the LAN's " +
    "frames: its multicast group, or with a unicast underlay the nodes' addresses, and its UDP port",
  OneWay:
    "look what drops them: a firewall, multicast snooping without a querier, or a route that " +
    "leads back another way",
  UnicastBlocked: "all but broadcasts goes to one node's own address, and is dropped on the way: " +
    "look for a firewall that lets only the multicast group pass to the LAN's UDP port, or for a " +
    "wrong route or neighbour entry",
  MtuTooSmall: "set spec.mtu to what gets through, or give all that is between the nodes an MTU " +
    "that is larger by 74",
} as const;

type FaultReason = keyof typeof ADVICE;

interface Fault {
  readonly reason: FaultReason;
  readonly text: string;
}

const FAULTS_MAX = 10;

/** What is to be said of `nodes`, those that the LAN does not exist on among them. */
export function connectedSaying(nodes: readonly NodeReport[]): ConnectedSaying {
  const used = nodes.filter(({ attached }) => attached > 0);
  const [first] = used;
  if (first === undefined) {
    return unknown("NothingAttached", "Nothing is attached, so no node has to reach another");
  }
  if (used.length === 1) {
    const message = `The LAN is in use on node "${first.node}" alone: nothing has to be reached, ` +
      "so nothing is known of the way to other nodes";
    return unknown("NothingToReach", message);
  }
  const faults = faultsOf(used);
  if (faults.length > 0) return faultSaying(faults);
  const stopped = used.filter(({ node }) =>
    used.some((other) => reasonAt(other, node) === "AgentStopped")
  );
  if (stopped.length > 0) {
    return unknown("AgentStopped", `${agents(stopped)} stopped; what is attached goes on`);
  }
  const off = used.filter(({ probe }) => probe?.state === "Off");
  if (off.length > 0) {
    const message = `${agents(off)} sends no hello frames; start it without --probe-interval 0`;
    return unknown("ProbesOff", message);
  }
  const silent = used.filter(({ probe }) => probe === undefined);
  if (silent.length > 0) {
    const message = `${agents(silent)} has not told of other nodes yet, or is of an older version`;
    return unknown("Probing", message);
  }
  const early = used.filter(({ probe }) =>
    probe?.state !== "Known" || probe.peers !== used.length - 1 || probe.reachable !== probe.peers
  );
  if (early.length > 0) {
    return unknown("Probing", `${agents(early)} is still finding out whom it reaches`);
  }
  return { status: "True", reason: "Verified", message: verifiedText(used) };
}

function unknown(reason: string, message: string): ConnectedSaying {
  return { status: "Unknown", reason, message };
}

function agents(nodes: readonly NodeReport[]): string {
  const names = quoted(nodes.map(({ node }) => node));
  const subject = nodes.length === 1 ? "The agent of node" : "Each of the agents of nodes";
  return `${subject} ${textList(names, { most: 5 })}`;
}

function reasonAt({ probe }: NodeReport, of: string): string | undefined {
  return probe?.unreachable?.find(({ node }) => node === of)?.reason;
}

/** What is wrong between two nodes is said once. */
function faultsOf(used: readonly NodeReport[]): Fault[] {
  const byName = new Map(used.map((report) => [report.node, report]));
  const faults = new Map<string, Fault>();
  for (const here of used) {
    for (const { node, reason, mtu } of here.probe?.unreachable ?? []) {
      const there = byName.get(node);
      if (there === undefined) continue;
      const pair = [here.node, node].toSorted().join("\0");
      const fault = faultBetween(here, there, reason, mtu);
      if (fault !== undefined && !faults.has(pair)) faults.set(pair, fault);
    }
  }
  return [...faults.values()];
}

function faultBetween(
  here: NodeReport,
  there: NodeReport,
  reason: string,
  mtu: number | undefined,
): Fault | undefined {
  const [one, other] = quoted([here.node, there.node]);
  const back = reasonAt(there, here.node);
  switch (reason) {
    case "AgentStopped":
      return undefined;
    case "Silent":
      if (back === "OneWay") {
        return { reason: "OneWay", text: `frames of node ${other} do not reach node ${one}` };
      }
      return {
        reason: "Unreachable",
        text: back === "Silent"
          ? `nodes ${one} and ${other} hear nothing of each other`
          : `node ${one} hears nothing of node ${other}`,
      };
    case "OneWay":
      return { reason: "OneWay", text: `frames of node ${one} do not reach node ${other}` };
    case "UnicastBlocked":
      return {
        reason,
        text: back === reason
          ? `nodes ${one} and ${other} get only what the other sends to all nodes`
          : `node ${other} gets what node ${one} sends to all nodes, not what is for it alone`,
      };
    case "MtuTooSmall": {
      const sizes = [mtu, there.probe?.unreachable?.find(({ node }) => node === here.node)?.mtu]
        .filter((size) => size !== undefined);
      const wanted = [here.mtu, there.mtu].filter((size) => size !== undefined);
      const most = sizes.length === 0 ? "the largest frames" : `frames above ${Math.min(...sizes)}`;
      const though = wanted.length === 0 ? "" : `, though the LAN's MTU is ${Math.max(...wanted)}`;
      const text = `between nodes ${one} and ${other} ${most} bytes are lost${though}`;
      return { reason, text: sizes.length === 0 ? text.replace(" bytes are", " are") : text };
    }
    default:
      return { reason: "Unreachable", text: `node ${one} says of node ${other}: ${reason}` };
  }
}

function faultSaying(faults: readonly Fault[]): ConnectedSaying {
  const order: readonly FaultReason[] = [
    "Unreachable",
    "OneWay",
    "UnicastBlocked",
    "MtuTooSmall",
  ];
  const sorted = order.flatMap((reason) => faults.filter((fault) => fault.reason === reason));
  const reason = sorted[0]?.reason ?? "Unreachable";
  const texts = sorted.map(({ text }) => text);
  const list = textList(texts, { most: FAULTS_MAX, chars: 6_000, separator: "; " });
  const message = `${list.charAt(0).toUpperCase()}${list.slice(1)}: ${ADVICE[reason]}`;
  return { status: "False", reason, message };
}

function verifiedText(used: readonly NodeReport[]): string {
  const probes = used.flatMap(({ probe }) => probe ?? []);
  const mtus = used.flatMap(({ mtu }) => mtu ?? []);
  const size = mtus.length === 0 ? "of full size" : `of up to ${Math.min(...mtus)} bytes`;
  const trips = probes.flatMap(({ roundTripMs }) => roundTripMs ?? []);
  const loss = Math.max(...probes.map(({ lossPercent = 0 }) => lossPercent));
  return [
    `${counted(used.length, "node")} reach each other, with frames ${size}`,
    ...(trips.length === 0 ? [] : [`round trips take at most ${Math.max(...trips)} ms`]),
    ...(loss === 0 ? [] : [`at least ${loss} % of frames are lost on the worst way`]),
  ].join("; ");
}
