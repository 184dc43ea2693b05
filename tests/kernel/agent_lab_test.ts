/** The lab with agents that the other tests of this folder stand on. */

import assert from "node:assert/strict";
import { createAgentLab, seedLan } from "../support/agent_lab.ts";
import { lanTest } from "../support/lan_features.ts";

lanTest("createAgentLab() gives nodes whose agents attach, and takes all of it away", async () => {
  let dir = "";
  {
    await using lab = await createAgentLab({ nodes: 2 });
    dir = lab.net.dir;
    await lab.putLan(seedLan(lab));
    const [one, two] = [await lab.addWorkload("one"), await lab.addWorkload("two")];
    const [worker1, worker2] = [lab.node("worker1"), lab.node("worker2")];
    const added = await worker1.cni("ADD", one, { lan: "k8slan-system/lan-test", spoke: "pod1" });
    assert.equal(added.code, 0, added.notes + JSON.stringify(added.output));
    const result = await worker2.attach(two, { lan: "k8slan-system/lan-test", spoke: "pod2" });
    assert.equal(result.ifname, "net1");
    assert.deepEqual((await worker2.view()).attachments.map(({ containerId }) => containerId), [
      "two",
    ]);
    await worker2.restart("SIGKILL");
    assert.equal((await worker2.view()).attachments.length, 1);
    await worker2.detach(two);
    assert.equal((await worker1.cni("DEL", one, {})).code, 0);
    assert.deepEqual((await one.links()).map(({ ifname }) => ifname), ["lo"]);
    await lab.removeLan(seedLan(lab));
  }
  assert.throws(() => Deno.statSync(dir), Deno.errors.NotFound);
});
