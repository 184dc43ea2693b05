/** The lab that the other tests of this folder stand on. */

import assert from "node:assert/strict";
import { createLab, rootTest } from "../support/netns_lab.ts";
import { until } from "../support/until.ts";

rootTest("createLab() joins the nodes: multicast from one reaches the other", async () => {
  await using lab = await createLab({ nodes: 2, mtu: 1600 });
  const [one, two] = [lab.node("worker1"), lab.node("worker2")];
  const [, eth1] = await one.links();
  const capture = two.spawn(
    [
      "tcpdump",
      "-nli",
      "eth1",
      "-c1",
      "--immediate-mode",
      `multicast and ether src ${eth1?.address}`,
    ],
  );
  await capture.waitFor(/listening on/);
  // A link that comes up says which multicast groups it listens to, by multicast.
  await one.run(["sh", "-c", "ip link set eth1 down; ip link set eth1 up"]);
  assert.equal((await capture.ended).code, 0, capture.output);
  assert.deepEqual(
    (await one.links()).map(({ ifname, mtu }) => [ifname, mtu]),
    [["lo", 65536], ["eth1", 1600]],
  );
});

rootTest("createLab() gives each lab names of its own for what the machine shares", async () => {
  await using one = await createLab({ nodes: 1 });
  await using two = await createLab({ nodes: 1 });
  assert.notEqual(one.node("worker1").uniqueName, two.node("worker1").uniqueName);
  assert.match(one.node("worker1").uniqueName, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
});

rootTest("Lab[Symbol.asyncDispose]() leaves nothing: no mount, file, process or link", async () => {
  const linksBefore = await hostLinks();
  let dir = "";
  let pids: number[] = [];
  await assert.rejects(async () => {
    await using lab = await createLab({ nodes: 2 });
    dir = lab.dir;
    const pod = await lab.addNetns("pod");
    const inNode = lab.node("worker1").spawn(["sh", "-c", "sleep 100 & echo $!; sleep 100"]);
    const inPod = lab.spawn(pod, ["sleep", "100"]);
    await inNode.waitFor(/\d+\n/);
    pids = [inNode.pid, inPod.pid, Number(inNode.stdout)];
    throw new Error("the test failed");
  }, /the test failed/);
  assert.throws(() => Deno.statSync(dir), Deno.errors.NotFound);
  assert.equal((await Deno.readTextFile("/proc/self/mountinfo")).includes(dir), false);
  assert.equal(pids.length, 3);
  for (const pid of pids) await until(`process ${pid} is gone`, () => !isRunning(pid));
  assert.equal(await hostLinks(), linksBefore);
});

async function hostLinks(): Promise<string> {
  const { stdout } = await new Deno.Command("ip", { args: ["-br", "link"] }).output();
  return new TextDecoder().decode(stdout);
}

/** Zombies count as gone: whoever inherits them takes them away. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
