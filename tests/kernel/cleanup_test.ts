/** `k8slan cleanup` on nodes that an agent has worked on. */

import assert from "node:assert/strict";
import { type AgentNode, denoRun } from "../support/agent_lab.ts";
import { LAN, prepareLan } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { takePicture } from "../support/node_picture.ts";
import { settled } from "../support/settled.ts";

interface Report {
  readonly removed: readonly string[];
  readonly kept: readonly string[];
  readonly failed: readonly string[];
}

/** Cleans the node up, with all folders below its own. */
async function cleanup(node: AgentNode, ...options: readonly string[]): Promise<Report> {
  const { dir } = node.host;
  const folders = [
    ...["--run-dir", node.runDir, "--state-dir", node.stateDir],
    ...["--cni-bin-dir", `${dir}/bin`, "--kubelet-dir", `${dir}/kubelet`],
  ];
  const args = [...denoRun("main.ts"), "cleanup", ...folders, "-o", "json", ...options];
  return JSON.parse(await node.host.run(args, { env: { K8SLAN_CACHE_DIR: `${dir}/cache` } }));
}

async function linkNames(node: AgentNode): Promise<string[]> {
  return (await node.host.links()).map(({ ifname }) => ifname).sort();
}

rootTest("cleanup refuses while an agent runs, and while workloads are attached", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const [first, second] = [await lab.addWorkload("first"), await lab.addWorkload("second")];
  const args = "K8S_POD_NAMESPACE=k8slan-system;K8S_POD_NAME=web-0;K8S_POD_UID=u1";
  await node.attach(first, { lan: LAN, spoke: "pod1" }, { args });
  await node.attach(second, { lan: LAN, spoke: "pod2", attach: "veth" });
  const look = () => takePicture(node, [first, second]);
  await assert.rejects(cleanup(node, "--force"), /Another agent is running/);
  await node.stop();
  const before = await settled(look);
  await assert.rejects(
    cleanup(node),
    /Still attached on this node: pod "k8slan-system\/web-0" to spoke "pod1" of LAN "k8slan-system\/lan-test", container "second" to .*--force/,
  );
  assert.deepEqual(await look(), before);
});

rootTest("cleanup by force takes interfaces away, and leaves the plugin to end with", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const links = await linkNames(node);
  const [first, second] = [await lab.addWorkload("first"), await lab.addWorkload("second")];
  await node.attach(first, { lan: LAN, spoke: "pod1" });
  await node.attach(second, { lan: LAN, attach: "veth" });
  await node.stop("SIGKILL");
  await Deno.mkdir(`${node.host.dir}/bin`);
  await Deno.writeTextFile(`${node.host.dir}/bin/k8slan`, "plugin");
  const { removed, kept, failed } = await cleanup(node, "--force");
  assert.deepEqual(failed, []);
  assert.match(removed[0] ?? "", /LAN "k8slan-system\/lan-test" in /);
  assert.match(kept.join(), /bin\/k8slan": workloads that were attached cannot end without it/);
  assert.deepEqual(await linkNames(node), links);
  for (const workload of [first, second]) {
    assert.deepEqual((await workload.links()).map(({ ifname }) => ifname), ["lo"]);
  }
  const left = Array.from(Deno.readDirSync(node.host.dir), ({ name }) => name).sort();
  assert.deepEqual(left, ["bin", "lans"]);
  // Now that nothing is attached, the plugin goes as well; and then there is nothing to do.
  await cleanup(node);
  assert.deepEqual([...Deno.readDirSync(`${node.host.dir}/bin`)], []);
  const again = await cleanup(node);
  assert.deepEqual(again, { removed: [], kept: [], failed: [] });
});

rootTest("cleanup needs no force for workloads that have ended without a word", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const links = await linkNames(node);
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await node.stop("SIGKILL");
  await pod.remove();
  const { failed } = await cleanup(node);
  assert.deepEqual(failed, []);
  assert.deepEqual(await linkNames(node), links);
});

rootTest("cleanup touches nothing that is not ours", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await node.detach(pod);
  await node.stop();
  const foreign = `${node.netnsDir}/foreign`;
  await Deno.writeTextFile(foreign, "");
  await node.host.run(["unshare", `--net=${foreign}`, "true"]);
  await node.host.run(["ip", "link", "add", "pod9", "type", "veth", "peer", "name", "pod9.b"]);
  await node.host.run(["ip", "link", "set", "pod9", "alias", "k8slan-like"]);
  await node.host.run(["ip", "link", "add", "vx9", "type", "vxlan", "id", "9", "dstport", "4789"]);
  const links = await linkNames(node);
  const { kept, failed } = await cleanup(node, "--force");
  assert.deepEqual(failed, []);
  assert.match(kept.join(), /netns\/foreign": it is a network namespace that is not ours/);
  assert.deepEqual(await linkNames(node), links);
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  assert.ok(mounts.includes(` ${foreign} `));
});

rootTest("an agent starts on a node that was cleaned up, as on a new one", async () => {
  await using stage = await prepareLan();
  const { lab, node, lan, before } = stage;
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await node.detach(pod);
  await node.stop();
  await cleanup(node);
  await node.start();
  await lab.putLan(lan);
  const { host, lans } = await takePicture(node);
  assert.deepEqual({ host, lans }, { host: before.host, lans: before.lans });
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
});
