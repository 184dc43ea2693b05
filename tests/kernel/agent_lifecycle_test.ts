/** Attachments that come and go, in every order. */

import assert from "node:assert/strict";
import { enqueueDelete, readDeletes } from "../../src/base/delete_queue.ts";
import { isRefusedTo, LAN, prepareLan, sorted } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { NETNS_GONE_MS, takePicture, untilPicture } from "../support/node_picture.ts";
import { until } from "../support/until.ts";

const AGAIN = 11;

rootTest("ADD of a spoke that is attached says who holds it, and to try again", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const [first, second] = [await lab.addWorkload("first"), await lab.addWorkload("second")];
  const args = "K8S_POD_NAMESPACE=k8slan-system;K8S_POD_NAME=web-0;K8S_POD_UID=u1";
  await node.attach(first, { lan: LAN, spoke: "pod1" }, { args });
  await isRefusedTo(node, second, { spoke: "pod1" }, AGAIN, /"pod1".*pod "k8slan-system\/web-0"/);
  await node.detach(first);
  await node.attach(first, { lan: LAN, spoke: "pod1" });
  await isRefusedTo(node, second, { spoke: "pod1" }, AGAIN, /"pod1".*container "first"/);
  await node.detach(first);
  const { code } = await node.cni("ADD", second, { lan: LAN, spoke: "pod1" });
  assert.equal(code, 0);
});

rootTest("ADD a second time is an error, and leaves the interface as it is", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await isRefusedTo(node, pod, { spoke: "pod1" }, 100, /"pod" has interface "net1".*delete it/);
  await isRefusedTo(node, pod, { spoke: "pod2" }, 100, /"pod" has interface "net1".*delete it/);
});

rootTest("ADD of a pod's new sandbox takes the spoke over from its former one", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const [first, second] = [await lab.addWorkload("first"), await lab.addWorkload("second")];
  const args = "K8S_POD_NAMESPACE=k8slan-system;K8S_POD_NAME=web-0;K8S_POD_UID=u1";
  await node.attach(first, { lan: LAN, spoke: "pod1" }, { args });
  await node.attach(second, { lan: LAN, spoke: "pod1" }, { args });
  assert.deepEqual((await first.links()).map(({ ifname }) => ifname), ["lo"]);
  assert.deepEqual((await node.view()).attachments.map(({ containerId }) => containerId), [
    "second",
  ]);
  // The late DEL of the first sandbox is no business of the second.
  await node.detach(first);
  assert.equal((await second.links()).length, 2);
});

rootTest("DEL succeeds without ADD, twice, and without a namespace", async () => {
  await using stage = await prepareLan();
  const { lab, node, before } = stage;
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  const look = () => takePicture(node);
  for (const containerId of ["unknown", "pod", "pod"]) {
    const { code, notes } = await node.cni("DEL", pod, { lan: LAN }, { containerId });
    assert.deepEqual([code, notes], [0, ""]);
  }
  await untilPicture("nothing is left", look, before);
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await pod.remove();
  for (const netns of [pod.netns, ""]) {
    const { code } = await node.cni("DEL", pod, { lan: LAN }, { env: { CNI_NETNS: netns } });
    assert.equal(code, 0);
  }
  await untilPicture("nothing is left", look, before);
});

rootTest("DEL without an agent succeeds, and is done when the agent starts", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const pods = await Promise.all(["a", "b"].map((name) => lab.addWorkload(name)));
  await node.attach(pods[0]!, { lan: LAN, spoke: "pod1" });
  await node.attach(pods[1]!, { lan: LAN, spoke: "pod2", attach: "veth" });
  await node.stop("SIGKILL");
  for (const pod of pods) {
    for (let time = 0; time < 2; time++) {
      const { code, notes } = await node.cni("DEL", pod, { lan: LAN });
      assert.deepEqual([code, /it is queued for the agent/.test(notes)], [0, true]);
    }
  }
  const absent = await node.cni("ADD", pods[0]!, { lan: LAN, spoke: "pod1" });
  assert.equal(absent.output?.["code"], AGAIN);
  assert.match(`${absent.output?.["msg"]}`, /agent does not answer at ".*agent\.sock".*start it/);
  await node.start();
  // Done before anyone is served.
  assert.deepEqual((await node.view()).attachments, []);
  const { before } = stage;
  // The directory of the queue stays.
  await untilPicture("nothing is left", () => takePicture(node), {
    ...before,
    files: sorted({ ...before.files, "/run/deletes": "directory 700" }),
  });
});

rootTest("ADD to an agent that is stuck ends in time, and is taken back", async () => {
  await using stage = await prepareLan();
  const { lab, node, before } = stage;
  // The agent looks at the queue soon after its start, and then each minute: not while the test does.
  const queue = `${node.runDir}/deletes`;
  enqueueDelete(queue, { op: "del", containerId: "nobody", ifname: "net1" });
  await until("the agent has looked", () => readDeletes(queue).length === 0, { timeout: 70_000 });
  const pod = await lab.addWorkload("pod");
  const whole = { ...before, workloads: (await takePicture(node, [pod])).workloads };
  node.agent.kill("SIGSTOP");
  const started = performance.now();
  const answer = await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" });
  assert.ok(performance.now() - started < 20_000);
  assert.equal(answer.output?.["code"], AGAIN);
  assert.match(`${answer.output?.["msg"]}`, /did not answer within 7.5 s/);
  node.agent.kill("SIGCONT");
  // The plugin's own DEL, which waited as well, may come before the agent misses the ADD's asker.
  await until("it was attached, detached and found unasked for", () => {
    const { output } = node.agent;
    return /"Attached"[^]*"Detached"/.test(output) && output.includes("taking it back");
  });
  const queued = Deno.readTextFileSync(`${queue}/pod@net1.json`);
  await untilPicture(
    "nothing is left but the detach that is queued",
    () => takePicture(node, [pod]),
    {
      ...whole,
      files: sorted({
        ...whole.files,
        "/run/deletes": "directory 700",
        "/run/deletes/pod@net1.json": `file 600 ${queued}`,
      }),
    },
  );
  // The runtime tries again: the detach that is queued must not hit that.
  assert.equal((await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" })).code, 0);
  assert.deepEqual([...Deno.readDirSync(queue)], []);
});

rootTest("sweep() removes what is attached to a workload that is gone without DEL", async () => {
  await using stage = await prepareLan();
  const { lab, node, before } = stage;
  const pods = await Promise.all(["a", "b", "c"].map((name) => lab.addWorkload(name)));
  await node.attach(pods[0]!, { lan: LAN, spoke: "pod1" });
  await node.attach(pods[1]!, { lan: LAN, spoke: "pod2", attach: "veth" });
  await node.attach(pods[2]!, { lan: LAN, attach: "veth" });
  for (const pod of pods) await pod.remove();
  await untilPicture("nothing is left", () => takePicture(node), before, NETNS_GONE_MS);
  assert.deepEqual((await node.view()).attachments, []);
});

rootTest("32 ADDs at once, and then 32 DELs, leave nothing", async () => {
  const names = Array.from({ length: 32 }, (_, at) => `p${at}`);
  await using stage = await prepareLan(1, { spokes: names });
  const { lab, node, before } = stage;
  const pods = await Promise.all(names.map((name) => lab.addWorkload(name)));
  const call = (command: string) =>
    Promise.all(pods.map(async (pod, at) => {
      const attach = at % 4 === 0 ? "veth" : "macvtap";
      const answer = await node.cni(command, pod, { lan: LAN, spoke: pod.name, attach });
      assert.equal(answer.code, 0, JSON.stringify(answer.output));
      return `${Object(answer.output)["interfaces"]?.[0]?.mac}`;
    }));
  assert.equal(new Set(await call("ADD")).size, 32);
  assert.equal((await lab.net.links(`${node.netnsDir}/knlvrf`)).length, 3 + 32);
  await call("DEL");
  await untilPicture("nothing is left", () => takePicture(node), before);
  for (const pod of pods) {
    assert.deepEqual((await pod.links()).map(({ ifname }) => ifname), ["lo"]);
  }
});
