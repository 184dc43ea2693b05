/** All spokes of all LANs attached on one node, as by its administrator: more than a node takes pods. */

import type { AgentAnswer, AgentRequest } from "../../src/api/agent_protocol.ts";
import { DEFAULT_AGENT_SOCKET } from "../../src/api/names.ts";
import { exchangeLine } from "../../src/base/line_exchange.ts";
import { netConf } from "../../tests/support/agent_lab.ts";
import { clusterLan, NAMESPACE, type StageNode } from "./cluster_stage.ts";

const LIMITS = { deadlineMs: 60_000, maxLength: 1 << 20 };

/** Attaches all spokes of LANs `0..count`, those of each to a namespace of its own. */
export async function attachAll(node: StageNode, count: number): Promise<void> {
  await forAll(node, `ip netns add`, count);
  for (const { spoke, lan, key } of attachments(count)) {
    const config = netConf({ lan, spoke, attach: "macvtap" });
    await ask(node, { op: "add", ...key, config });
  }
}

export async function detachAll(node: StageNode, count: number): Promise<void> {
  for (const { key } of attachments(count)) await ask(node, { op: "del", ...key });
  await forAll(node, `ip netns del`, count);
}

function attachments(count: number) {
  return Array.from({ length: count }, (_, at) => {
    const { metadata: { name }, spec: { ns, spokes } } = clusterLan(at);
    return spokes.map((spoke, number) => ({
      ...{ spoke, lan: `${NAMESPACE}/${name}` },
      key: {
        containerId: `hand-${spoke}`,
        ifname: `net${number}`,
        netns: `/run/netns/${handNetns(ns)}`,
      },
    }));
  }).flat();
}

function handNetns(ns: string): string {
  return `hand-${ns}`;
}

/** Runs a command with the namespace of each LAN. */
async function forAll(node: StageNode, command: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => handNetns(clusterLan(at).spec.ns));
  await node.product.node.run([
    "sh",
    "-euc",
    `for name in "$@"; do ${command} "$name"; done`,
    "sh",
    ...names,
  ]);
}

async function ask(node: StageNode, request: AgentRequest): Promise<void> {
  const socket = await node.product.node.path(DEFAULT_AGENT_SOCKET);
  const answer: AgentAnswer = JSON.parse(
    await exchangeLine(socket, JSON.stringify(request), LIMITS),
  );
  if (!answer.ok) throw new Error(`The agent refuses "${request.op}": ${answer.error.msg}`);
}
