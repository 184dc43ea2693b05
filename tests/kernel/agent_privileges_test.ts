/** What the agent needs of the kernel's privileges, and says when it lacks one. */

import assert from "node:assert/strict";
import { createAgentLab, denoRun, seedLan } from "../support/agent_lab.ts";
import { LAN } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";

const UNIT = new URL("../../deploy/standalone/k8slan.service", import.meta.url);

/** The capabilities that the unit leaves to the agent, as setpriv(1) names them. */
async function unitCapabilities(): Promise<readonly string[]> {
  const [, list = ""] = /^CapabilityBoundingSet=(.*)$/m.exec(await Deno.readTextFile(UNIT)) ?? [];
  return list.split(" ").map((name) => name.replace("CAP_", "").toLowerCase());
}

/** The agent with these capabilities and no others. */
function programWith(capabilities: readonly string[]): readonly string[] {
  const set = ["-all", ...capabilities.map((name) => `+${name}`)].join();
  return ["setpriv", `--bounding-set=${set}`, "--no-new-privs", ...denoRun("main.ts")];
}

rootTest("k8slan agent attaches and detaches with the capabilities of its unit alone", async () => {
  const agentProgram = programWith(await unitCapabilities());
  await using lab = await createAgentLab({ nodes: 1, agentProgram });
  await lab.putLan(seedLan(lab));
  const node = lab.node("worker1");
  const first = await lab.addWorkload("first");
  const second = await lab.addWorkload("second");
  await node.attach(first, { lan: LAN, spoke: "pod1" });
  await node.attach(second, { lan: LAN, spoke: "pod2", attach: "veth" });
  await node.detach(first);
  await node.detach(second);
});

rootTest("k8slan agent names the capability without which it hears of no change", async () => {
  const few = (await unitCapabilities()).filter((name) => name !== "net_broadcast");
  const agentProgram = programWith(few);
  await assert.rejects(createAgentLab({ nodes: 1, agentProgram }), /CAP_NET_BROADCAST/);
});
