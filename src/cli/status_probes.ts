/** What `k8slan status` says of other nodes. */

import type { LanView, ProbedNodeView, ProbeView } from "../api/agent_protocol.ts";

/** Headers of `probeCells()`. */
export const PROBE_HEADERS = ["REACHED", "RTT", "PATH-MTU"];

/** Nodes reached of all, the longest round trip, and what gets through to all of them. */
export function probeCells(probe: ProbeView | undefined): string[] {
  if (probe === undefined) return ["", "", ""];
  const { state, peers, reachable, roundTripMs, mtu } = probe;
  const reached = state === "Off" ? "off" : `${reachable}/${peers}`;
  return [
    state === "Probing" ? `${reached}?` : reached,
    roundTripMs === undefined ? "" : `${roundTripMs.toPrecision(2)} ms`,
    mtu === undefined ? "" : String(mtu),
  ];
}

const NODES_MAX = 10;

/** What is wrong with other nodes of a LAN, a row each: LAN, reason, sentence. */
export function probeRemarks({ lan, probe, mtu }: LanView): string[][] {
  const rows = probe?.nodes.flatMap((node) => {
    const found = remark(node, mtu);
    return found === undefined ? [] : [[lan, ...found]];
  }) ?? [];
  const more = rows.length - NODES_MAX;
  if (more <= 0) return rows;
  return [...rows.slice(0, NODES_MAX), [lan, "AndMore", `${more} more nodes; see -o json`]];
}

function remark({ node, state, mtu }: ProbedNodeView, wanted?: number): string[] | undefined {
  switch (state) {
    case "silent":
      return ["Unreachable", `Nothing is heard of node "${node}"; look there, and at the underlay`];
    case "oneWay":
      return [
        "OneWay",
        `Node "${node}" is heard, but does not hear this one; look for what drops its frames`,
      ];
    case "groupOnly":
      return [
        "UnicastBlocked",
        `Node "${node}" gets what this one sends to all nodes, but not what is for it alone; look ` +
        "for what drops packets to its address",
      ];
    case "smallOnly":
      return [
        "MtuTooSmall",
        `To or from node "${node}" frames above ${mtu ?? "some"} bytes are lost` +
        (wanted === undefined ? "" : `, though the LAN's MTU is ${wanted}`),
      ];
    default:
      return undefined;
  }
}
