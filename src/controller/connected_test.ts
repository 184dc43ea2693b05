import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { ProbeOnNode } from "../api/lan_node.ts";
import { connectedSaying } from "./connected.ts";
import type { NodeReport } from "./lan_report.ts";
import { MESSAGE_MAX } from "../api/lan_status.ts";

type Unreachable = NonNullable<ProbeOnNode["unreachable"]>[number];

function node(name: string, probe: Partial<ProbeOnNode> | undefined, attached = 1): NodeReport {
  const whole = { state: "Known", peers: 1, reachable: 1, ...probe } as const;
  return {
    ...{ node: name, attached, ready: true, mtu: 1426 },
    ...(probe === undefined ? {} : { probe: whole }),
  };
}

function away(name: string, reason: string, mtu?: number): Partial<ProbeOnNode> {
  const entry: Unreachable = { node: name, reason, ...(mtu === undefined ? {} : { mtu }) };
  return { reachable: 0, unreachable: [entry] };
}

const GOOD = { roundTripMs: 2, lossPercent: 0 };

const CASES: readonly (readonly [string, readonly NodeReport[], string, RegExp])[] = [
  ["nothing attached", [node("n1", undefined, 0)], "Unknown/NothingAttached", /^Nothing/],
  [
    "one node",
    [node("n1", { peers: 0, reachable: 0 })],
    "Unknown/NothingToReach",
    /node "n1" alone/,
  ],
  [
    "two nodes that reach each other",
    [node("n1", GOOD), node("n2", GOOD)],
    "True/Verified",
    /^2 nodes reach each other, with frames of up to 1426 bytes; round trips take at most 2 ms$/,
  ],
  [
    "a way that loses frames",
    [node("n1", GOOD), node("n2", { ...GOOD, lossPercent: 10 })],
    "True/Verified",
    /at least 10 % of frames are lost on the worst way$/,
  ],
  [
    "both ways cut",
    [node("n1", away("n2", "Silent")), node("n2", away("n1", "Silent"))],
    "False/Unreachable",
    /^Nodes "n1" and "n2" hear nothing of each other: look whether the agents run/,
  ],
  [
    "a node whose agent says nothing of it",
    [node("n1", away("n2", "Silent")), node("n2", GOOD)],
    "False/Unreachable",
    /^Node "n1" hears nothing of node "n2": /,
  ],
  [
    "one way cut",
    [node("n1", away("n2", "OneWay")), node("n2", away("n1", "Silent"))],
    "False/OneWay",
    /^Frames of node "n1" do not reach node "n2": look what drops them/,
  ],
  [
    "one way cut, told by the other first",
    [node("n1", away("n2", "Silent")), node("n2", away("n1", "OneWay"))],
    "False/OneWay",
    /^Frames of node "n2" do not reach node "n1": /,
  ],
  [
    "a node that only what is for all reaches",
    [node("n1", away("n2", "UnicastBlocked")), node("n2", GOOD)],
    "False/UnicastBlocked",
    /^Node "n2" gets what node "n1" sends to all nodes, not what is for it alone: .* firewall/,
  ],
  [
    "two of them, beside a path that is too small",
    [
      node("n0", { ...away("n1", "MtuTooSmall", 1334), peers: 2, reachable: 1 }),
      node("n1", { ...away("n2", "UnicastBlocked"), peers: 2, reachable: 1 }),
      node("n2", { ...away("n1", "UnicastBlocked"), peers: 2, reachable: 1 }),
    ],
    "False/UnicastBlocked",
    /^Nodes "n1" and "n2" get only what the other sends to all nodes; between nodes "n0" and "n1" /,
  ],
  [
    "a path that is too small",
    [node("n1", away("n2", "MtuTooSmall", 1340)), node("n2", away("n1", "MtuTooSmall", 1334))],
    "False/MtuTooSmall",
    /^Between nodes "n1" and "n2" frames above 1334 bytes are lost, though the LAN's MTU is 1426: set spec.mtu/,
  ],
  [
    "a reason of a later version",
    [node("n1", away("n2", "TooWarm")), node("n2", GOOD)],
    "False/Unreachable",
    /node "n2": TooWarm/,
  ],
  [
    "a node that is unreachable where nothing is attached any more",
    [
      node("n1", { ...away("n3", "Silent"), peers: 2, reachable: 1 }),
      node("n2", GOOD),
      node("n3", GOOD, 0),
    ],
    "Unknown/Probing",
    /^The agent of node "n1" is still finding out/,
  ],
  [
    "an agent that stops",
    [node("n1", away("n2", "AgentStopped")), node("n2", GOOD)],
    "Unknown/AgentStopped",
    /^The agent of node "n2" stopped; what is attached goes on$/,
  ],
  [
    "probes switched off",
    [node("n1", { state: "Off", peers: 0, reachable: 0 }), node("n2", GOOD)],
    "Unknown/ProbesOff",
    /^The agent of node "n1" sends no hello frames/,
  ],
  [
    "an older agent",
    [node("n1", undefined), node("n2", GOOD)],
    "Unknown/Probing",
    /older version$/,
  ],
  [
    "nodes that know too little yet",
    [node("n1", { state: "Probing", reachable: 0 }), node("n2", { peers: 0, reachable: 0 })],
    "Unknown/Probing",
    /^Each of the agents of nodes "n1", "n2" is still finding out/,
  ],
  [
    "what is wrong rather than what is not known",
    [
      node("n1", { ...away("n2", "Silent"), peers: 2 }),
      node("n2", { ...away("n1", "Silent"), peers: 2 }),
      node("n3", undefined),
    ],
    "False/Unreachable",
    /^Nodes "n1" and "n2" hear nothing/,
  ],
];

for (const [what, nodes, says, message] of CASES) {
  Deno.test(`connectedSaying() of ${what} is ${says}`, () => {
    const saying = connectedSaying(nodes);
    equal(`${saying.status}/${saying.reason}`, says);
    match(saying.message, message);
  });
}

Deno.test("connectedSaying() names the worst first, and few of very many", () => {
  const names = Array.from({ length: 300 }, (_, at) => `${"n".repeat(200)}${at}`);
  const saying = connectedSaying(names.map((name, at) => {
    const unreachable = names.filter((other) => other !== name).slice(0, 16)
      .map((other, nth) => ({
        node: other,
        reason: at === 299 && nth === 0 ? "Silent" : "OneWay",
      }));
    return node(name, { peers: 299, reachable: 283, unreachable });
  }));
  equal(saying.reason, "Unreachable");
  match(saying.message, /^Node "n+299" hears nothing .* and \d+ more: look whether the agents/);
  ok(saying.message.length < MESSAGE_MAX);
});

Deno.test("connectedSaying() says the same of the same, whatever order nodes report in", () => {
  const one = [node("n1", away("n2", "MtuTooSmall", 1340)), node("n2", away("n1", "MtuTooSmall"))];
  deepEqual(connectedSaying(one), connectedSaying(structuredClone(one)));
});
