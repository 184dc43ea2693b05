/** An agent that starts where another one runs, or among things that only look like its own. */

import assert from "node:assert/strict";
import { type AgentNode, denoRun } from "../support/agent_lab.ts";
import { LAN, prepareLan, sorted } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { takePicture, untilPicture } from "../support/node_picture.ts";
import { settled } from "../support/settled.ts";
import { until } from "../support/until.ts";

rootTest(
  "agentMain() refuses to run twice on one run directory, also when two start at once",
  async () => {
    await using stage = await prepareLan();
    const { lab, node } = stage;
    const pod = await lab.addWorkload("pod");
    await node.attach(pod, { lan: LAN, spoke: "pod1" });
    const whole = await settled(() => takePicture(node, [pod]));
    const second = node.spawnAgent();
    assert.equal((await second.ended).code, 1);
    assert.match(second.stderr, /Another agent is running with ".*\/run"; stop it/);
    await node.stop();
    for (let time = 0; time < 3; time++) {
      const racers = Array.from({ length: 4 }, () => node.spawnAgent());
      const ends = racers.map((racer) => racer.ended.then(() => racer));
      for (let count = 0; count < 3; count++) {
        const loser = await Promise.race(ends);
        ends.splice(racers.indexOf(loser), 1);
        racers.splice(racers.indexOf(loser), 1);
        assert.match(loser.stderr, /Another agent is running/);
      }
      await until("the winner serves", async () => {
        return (await node.view()).pid === racers[0]?.pid;
      });
      racers[0]?.kill(time === 0 ? "SIGTERM" : "SIGKILL");
      await ends[0];
    }
    await node.start();
    await untilPicture("as before", () => takePicture(node, [pod]), whole);
  },
);

rootTest(
  "agentMain() refuses to run beside another agent of the node, whatever its directory",
  async () => {
    await using stage = await prepareLan();
    const { lab, node } = stage;
    const pod = await lab.addWorkload("pod");
    await node.attach(pod, { lan: LAN, spoke: "pod1" });
    const whole = await settled(() => takePicture(node, [pod]));
    const second = node.host.spawn([
      ...[...denoRun("main.ts"), "agent", "--standalone", "--lans", node.lansDir],
      ...["--run-dir", `${lab.net.dir}/run2`, "--state-dir", `${lab.net.dir}/state2`],
    ]);
    assert.equal((await second.ended).code, 1);
    assert.match(
      second.stderr,
      /Another agent is running in this network namespace.*stop the other/,
    );
    await untilPicture("as before", () => takePicture(node, [pod]), whole);
  },
);

for (const [what, plant] of [["links", foreignLinks], ["namespaces", foreignFiles]] as const) {
  rootTest(`recover() leaves foreign ${what} alone, whatever their names`, async () => {
    await using stage = await prepareLan();
    const { lab, node } = stage;
    const uid = `${(await node.lan(stage.lan))?.uid}`;
    const pod = await lab.addWorkload("pod");
    await node.attach(pod, { lan: LAN, spoke: "pod1" });
    const look = () => takePicture(node, [pod]);
    await settled(look);
    await node.stop("SIGKILL");
    await node.host.run(["sh", "-euc", plant(node, uid)]);
    const before = await look();
    // Ours without doubt: that it goes shows that the start has looked at them.
    if (what === "links") await node.host.run(["sh", "-euc", strayLink(uid)]);
    await node.start();
    if (what === "links") {
      await until("the stray link is gone", async () => {
        return !(await node.host.links()).some(({ ifname }) => ifname === "stray");
      });
    }
    const socket = { "/run/agent.sock": "socket 600" };
    const expected = { ...before, files: sorted({ ...before.files, ...socket }) };
    await untilPicture("everything is as it was", look, expected);
  });
}

function strayLink(uid: string): string {
  return "ip link add stray type veth peer name strayer; " +
    `ip link set stray alias 'k8slan lan=${uid} spoke=stray'`;
}

/** Names of the LAN's own things and of its spokes that are not attached, aliases that are like ours. */
function foreignLinks(_node: AgentNode, uid: string): string {
  const aliases = [
    ...["k8slan", "k8slan ", "k8slan lan", `K8SLAN lan=${uid} spoke=f3`],
    ...["k8slan2 lan=x spoke=f4", " k8slan lan=x spoke=f5", "k8slan spoke=f6", "k8slan=lan=x"],
    `not k8slan lan=${uid} spoke=f8`,
  ];
  return [
    ...aliases.flatMap((alias, at) => [
      `ip link add f${at} type veth peer name g${at}`,
      `ip link set f${at} alias '${alias}'`,
    ]),
    "ip link add br2 type bridge",
    "ip link add vx2 type vxlan id 4711 group ff02::99 dev eth1 dstport 4790",
    "ip link add pod3 type veth peer name pod3.b",
    "ip link set pod3.b master br2",
    "ip link add pod4 type bridge",
    // A mark on a link of a kind that we never have in the host's namespace.
    `ip link set pod4 alias 'k8slan lan=${uid} spoke=pod4'`,
  ].join("\n");
}

function foreignFiles({ netnsDir }: AgentNode): string {
  return [
    `cd ${netnsDir}; touch foreign theirs; mkdir directory; mkfifo fifo`,
    `echo precious > file; echo 'k8slan2 lan=x' > similar; touch empty`,
    "ln -s foreign linked; ln -s nowhere dangling",
    "unshare --net=foreign ip link add pod1.b type veth peer name net1",
    "unshare --net=theirs ip link set lo alias 'k8slan2 lan=x name=y'",
    // Ours by its alias, were it not in a namespace that is not.
    "nsenter --net=theirs ip link add pod2.b type veth peer name net1",
    "nsenter --net=theirs ip link set pod2.b alias 'k8slan lan=x spoke=pod2'",
  ].join("\n");
}
