/** One LAN on some nodes, and what most tests of its life do with it. */

import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  type LanDocument,
  seedLan,
  type Workload,
} from "./agent_lab.ts";
import { type NodePicture, takePicture, untilPicture } from "./node_picture.ts";
import { settled } from "./settled.ts";

/** Name of the LAN. */
export const LAN = "k8slan-system/lan-test";

/** A lab with one LAN that nothing is attached to yet. */
export interface LanStage extends AsyncDisposable {
  readonly lab: AgentLab;
  readonly node: AgentNode;
  readonly lan: LanDocument;
  /** Of `node`, with the LAN known and nothing attached. */
  readonly before: NodePicture;
}

/** Starts the nodes; `spec` replaces fields of the LAN. */
export async function prepareLan(
  nodes = 1,
  spec: { readonly spokes?: readonly string[]; readonly [field: string]: unknown } = {},
): Promise<LanStage> {
  const lab = await createAgentLab({ nodes });
  try {
    const seed = seedLan(lab);
    const lan = { ...seed, spec: { ...seed.spec, ...spec } };
    await lab.putLan(lan);
    const node = lab.node("worker1");
    const before = await takePicture(node);
    return { lab, node, lan, before, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** ADD by a CNI process is refused with this code and text, and changes nothing at all. */
export async function isRefusedTo(
  node: AgentNode,
  workload: Workload,
  config: Readonly<Record<string, unknown>>,
  code: number,
  says: RegExp,
): Promise<void> {
  const look = () => takePicture(node, [workload]);
  const before = await settled(look);
  const { output } = await node.cni("ADD", workload, { lan: LAN, ...config });
  assert.equal(output?.["code"], code, JSON.stringify(output));
  assert.match(`${output?.["msg"]}`, says);
  await untilPicture("nothing has changed", look, before);
}

/** Attaches a new workload with an address. */
export async function addressed(
  lab: AgentLab,
  node: AgentNode,
  spoke: string,
  number: number,
): Promise<Workload> {
  const workload = await lab.addWorkload(spoke);
  await node.attach(workload, { lan: LAN, spoke });
  await node.ask({
    ...{ op: "configure", containerId: spoke, ifname: "net1", netns: workload.netns },
    ...{ ips: [{ address: `10.9.0.${number}/24` }], routes: [] },
  });
  return workload;
}

/** In the order that pictures have. */
export function sorted(files: NodePicture["files"]): NodePicture["files"] {
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => a < b ? -1 : 1));
}
