/** LANs whose files come, go, change and contradict each other while they are in use. */

import assert from "node:assert/strict";
import { CniCode } from "../../src/api/agent_protocol.ts";
import type { LanDocument } from "../support/agent_lab.ts";
import { addressed, isRefusedTo, LAN, prepareLan } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";

const AGAIN = CniCode.TryAgainLater;

rootTest("a LAN whose file goes keeps working, and ends with its last attachment", async () => {
  await using stage = await prepareLan(2);
  const { lab, node, lan } = stage;
  const two = lab.node("worker2");
  const [a, b] = [await addressed(lab, node, "pod1", 1), await addressed(lab, two, "pod2", 2)];
  await lab.removeLan(lan);
  assert.equal((await node.lan(lan))?.state, "Orphaned");
  const late = await lab.addWorkload("late");
  await isRefusedTo(node, late, { spoke: "pod3" }, AGAIN, /There is no LAN/);
  await a.run(["ping", "-c1", "-W2", "10.9.0.2"]);
  await node.restart("SIGKILL");
  assert.equal((await node.lan(lan))?.state, "Orphaned");
  await b.run(["ping", "-c1", "-W2", "10.9.0.1"]);
  await node.detach(a);
  assert.equal(await node.lan(lan), undefined);
  assert.deepEqual([...Deno.readDirSync(node.netnsDir)], []);
});

rootTest(
  "a LAN whose VNI is edited is another LAN: what is attached stays until it is detached",
  async () => {
    await using stage = await prepareLan(2);
    const { lab, node, lan } = stage;
    const a = await addressed(lab, node, "pod1", 1);
    const b = await addressed(lab, lab.node("worker2"), "pod2", 2);
    const changed = { ...lan, spec: { ...lan.spec, vni: 333 } };
    await lab.putLan(changed);
    const late = await lab.addWorkload("late");
    await isRefusedTo(
      node,
      late,
      { spoke: "pod3" },
      CniCode.Clash,
      /belongs to .*detach them first/,
    );
    await a.run(["ping", "-c1", "-W2", "10.9.0.2"]);
    await node.detach(a);
    await lab.node("worker2").detach(b);
    await node.attach(late, { lan: LAN, spoke: "pod3" });
    const links = await lab.net.links(`${node.netnsDir}/knlvrf`);
    assert.deepEqual(
      links.flatMap(({ linkinfo }) => linkinfo?.info_data?.["id"] ?? []),
      [333],
    );
  },
);

rootTest("of two LANs in conflict the older counts, until it goes", async () => {
  await using stage = await prepareLan();
  const { lab, node, lan } = stage;
  const rival: LanDocument = {
    metadata: { name: "rival" },
    spec: { ...lan.spec, ns: "other", spokes: ["rival1"] },
  };
  await lab.putLan(rival);
  const view = await node.lan(rival);
  assert.equal(view?.state, "Rejected");
  assert.match(
    `${view?.conditions[0]?.message}`,
    /vni "222" belongs to LAN "k8slan-system\/lan-test"/,
  );
  const pod = await lab.addWorkload("pod");
  const wish = { lan: "default/rival", spoke: "rival1" };
  await isRefusedTo(node, pod, wish, AGAIN, /"default\/rival" is not accepted: .*lan-test/);
  await lab.removeLan(lan);
  assert.equal((await node.lan(rival))?.state, "Idle");
  await node.attach(pod, wish);
});
