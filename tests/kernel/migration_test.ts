/** A VM that moves: two nodes hold its spoke for a while, and frames follow it at the hand-over. */

import assert from "node:assert/strict";
import { LinuxKernel } from "../../src/kernel/linux.ts";
import type { AgentNode } from "../support/agent_lab.ts";
import { type AgentLab, createAgentLab, seedLan } from "../support/agent_lab.ts";
import { ClusterPart } from "../support/cluster_part.ts";
import { sentinel } from "../support/frame_kinds.ts";
import { HandOver } from "../support/hand_over.ts";
import { lanTest } from "../support/lan_features.ts";
import { takePicture } from "../support/node_picture.ts";
import { readEthernet } from "../support/packets.ts";
import { FrameSocket } from "../support/raw_frames.ts";
import { settled } from "../support/settled.ts";
import { attachStation, quietWorkload, Station, untilHeard } from "../support/stations.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";
/** An address behind the VM, of which no list knows. */
const NESTED = "02:00:00:00:0e:57";
/** What a VM asks for by `macAddress`. */
const ASKED = "02:00:00:00:08:01";
/** Ethertype and first bytes of what agents say to each other through every LAN. */
const HELLO = "88b56b38736c";
/** Longer than stacks wait before they say that they are there. Milliseconds. */
const WINDOW = 1_500;

interface Stage extends AsyncDisposable {
  readonly lab: AgentLab;
  /** Pods on worker1 (where the VM is), worker2 (where it goes) and worker3. */
  readonly near: Station;
  readonly beside: Station;
  readonly far: Station;
  /** Where the VM is. */
  readonly source: Station;
  /** Takes a pod for the VM to worker2. */
  target(): Promise<Station>;
}

/** `vm` is what the VM's pods ask for, beside the LAN. */
async function prepare(
  vm: Readonly<Record<string, unknown>> = { spoke: "pod1" },
): Promise<Stage> {
  const lab = await createAgentLab({ nodes: 3 });
  const stations: Station[] = [];
  const station = async (node: string, name: string, config: object) => {
    const made = await attachStation(lab, node, name, { lan: LAN, ...config });
    stations.push(made);
    return made;
  };
  try {
    await lab.putLan(seedLan(lab));
    const near = await station("worker1", "near", { spoke: "pod2" });
    const beside = await station("worker2", "beside", { spoke: "pod3" });
    const far = await station("worker3", "far", { spoke: "pod4" });
    // It says nothing but what a test says for it.
    const first = await quietWorkload(lab, "source");
    const { mac } = await lab.node("worker1").attach(first, { lan: LAN, ...vm });
    const source = new Station(first, mac);
    stations.push(source);
    // All tables lead to the VM, and to what is behind it.
    for (const mac of [source.mac, NESTED]) {
      for (const station of [beside, far]) await untilHeard(source, station, mac);
    }
    return {
      ...{ lab, near, beside, far, source },
      async target() {
        const made = await station("worker2", "target", vm);
        // It says its first word but once, and a port passes frames a little after it is up.
        await settled(() => takePicture(lab.node("worker2"), [made.workload]));
        return made;
      },
      async [Symbol.asyncDispose]() {
        for (const made of stations) made[Symbol.dispose]();
        await lab[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

function netnsOf({ netnsDir }: AgentNode): string {
  return `${netnsDir}/knlvrf`;
}

/** As the agents of the other nodes do when they hear that the VM has left its node. */
function forgetSource({ lab, source: { mac } }: Stage, vteps: ReadonlyMap<string, string>): void {
  for (const [name, vtep] of vteps) {
    const { netnsDir } = lab.node(name);
    using kernel = new LinuxKernel(netnsDir);
    const known = kernel.forgetNode(`${netnsDir}/knlvrf`, "vx2", { mac, vtep });
    assert.ok(known >= 1, `${name} knew ${known} addresses of the node`);
  }
}

/** Where the other nodes have learned that the VM is: by node, the address of its own. */
function locateSource({ lab, source: { mac } }: Stage): ReadonlyMap<string, string> {
  return new Map(["worker2", "worker3"].map((name) => {
    const { netnsDir } = lab.node(name);
    using kernel = new LinuxKernel(netnsDir);
    const vtep = kernel.learnedFrom(`${netnsDir}/knlvrf`, "vx2", mac);
    assert.match(vtep ?? "", /^fe80::/, name);
    return [name, vtep ?? ""];
  }));
}

lanTest("a VM's next pod has the address of its first, and says nothing of it", async () => {
  await using stage = await prepare();
  const { lab, beside, far, source } = stage;
  using outward = new FrameSocket(netnsOf(lab.node("worker2")), "vx2", { outgoing: true });
  for (const { wire } of [beside, far]) wire.take();
  const target = await stage.target();
  assert.equal(target.mac, source.mac);
  const heard = await Promise.all([outward, beside.wire, far.wire].map(async (wire) => {
    const frames = await wire.takeUntil(() => false, WINDOW);
    return frames.map((frame) => frame.toHex()).filter((hex) => !hex.startsWith(HELLO, 24));
  }));
  assert.deepEqual(heard, [[], [], []]);
  // And all goes on as before for the VM, which is still where it was.
  for (const { wire } of [beside, far]) {
    const stream = new HandOver({
      ...{ sender: wire, source: source.wire, target: target.wire, mac: source.mac },
    });
    assert.deepEqual(await stream.probe(20), { source: 20, target: 0 });
  }
});

lanTest("a VM's next pod on a veth speaks with the address that the VM asks for", async () => {
  await using stage = await prepare({ attach: "veth", mac: ASKED });
  const { far, source } = stage;
  far.wire.take();
  const target = await stage.target();
  assert.deepEqual([source.mac, target.mac], [ASKED, ASKED]);
  await far.wire.first("a frame of the next pod", (frame) => readEthernet(frame).src === ASKED);
  const stream = new HandOver({
    ...{ sender: far.wire, source: source.wire, target: target.wire, mac: ASKED },
  });
  // The VM is where it was, and what is sent to it comes elsewhere.
  assert.deepEqual(await stream.probe(), { source: 0, target: 20 });
  await until("frames come to the VM again, as it speaks", async () => {
    source.wire.send(sentinel(ASKED).frame);
    return (await stream.probe()).source === 20;
  }, { timeout: 30_000 });
});

lanTest("a VM's next pod on a veth has another address unless the VM asks for one", async () => {
  await using stage = await prepare({ attach: "veth" });
  const { far, source } = stage;
  far.wire.take();
  const target = await stage.target();
  assert.notEqual(target.mac, source.mac);
  // It speaks, but not in the VM's name.
  await far.wire.first("its own frame", (frame) => readEthernet(frame).src === target.mac);
  const stream = new HandOver({
    ...{ sender: far.wire, source: source.wire, target: target.wire, mac: source.mac },
  });
  assert.deepEqual(await stream.probe(), { source: 20, target: 0 });
});

lanTest("frames follow a VM as soon as it is announced on its next node", async () => {
  await using stage = await prepare();
  const { lab, near, beside, far, source } = stage;
  const target = await stage.target();
  const ends = { source: source.wire, target: target.wire, mac: source.mac };
  const stream = new HandOver({ sender: far.wire, ...ends });
  const vteps = locateSource(stage);
  const report = stream.announced();
  assert.ok(report.gapMs < 1_000, JSON.stringify(report));
  assert.equal(report.early, 0);
  assert.equal(report.late, 0);
  // The pods of both nodes find it too, before and after its first pod is gone.
  for (const step of ["held by both", "held by one"]) {
    for (const { wire } of [near, beside, far]) {
      const { target: came, source: strayed } = await new HandOver({ sender: wire, ...ends })
        .probe();
      assert.deepEqual([came, strayed], [20, 0], step);
    }
    if (step === "held by one") continue;
    await lab.node("worker1").detach(source.workload);
    forgetSource(stage, vteps);
    // What is behind the VM has not been announced, and is found all the same.
    for (const { wire } of [near, beside, far]) {
      const { target: came } = await new HandOver({ sender: wire, ...ends, mac: NESTED }).probe();
      assert.equal(came, 20);
    }
  }
});

lanTest("frames follow a VM that says nothing once its first pod is gone", async () => {
  await using stage = await prepare();
  const { lab, near, beside, far, source } = stage;
  const target = await stage.target();
  const ends = { source: source.wire, target: target.wire, mac: source.mac };
  const stream = new HandOver({ sender: far.wire, ...ends });
  const vteps = locateSource(stage);
  const report = await stream.silent(async () => {
    await lab.node("worker1").detach(source.workload);
    // Without further ado they would be lost for minutes.
    assert.deepEqual(await new HandOver({ sender: beside.wire, ...ends }).probe(), {
      ...{ source: 0, target: 0 },
    });
    forgetSource(stage, vteps);
  });
  assert.equal(report.early, 0);
  assert.ok(report.lost > 0);
  for (const { wire } of [near, beside, far]) {
    for (const mac of [source.mac, NESTED]) {
      const { target } = await new HandOver({ sender: wire, ...ends, mac }).probe();
      assert.equal(target, 20, `to ${mac}`);
    }
  }
});

for (const how of ["announces itself", "says nothing"] as const) {
  lanTest(
    `agents of a cluster forget where a VM was that ${how}, by what nodes report`,
    async () => {
      await using stage = await prepare();
      const { lab, near, beside, far, source } = stage;
      await using next = new ClusterPart(lab.node("worker2"), seedLan(lab));
      await using third = new ClusterPart(lab.node("worker3"), seedLan(lab));
      const vm = { spoke: "pod1", mac: source.mac };
      for (const part of [next, third]) await part.hear("worker1", vm);
      const target = await stage.target();
      next.hold(vm);
      await third.hear("worker2", vm);
      const ends = { source: source.wire, target: target.wire };
      const stream = (sender: FrameSocket, mac: string) => new HandOver({ ...ends, sender, mac });
      const toVm = stream(far.wire, source.mac);
      // Held by both nodes, it is where it was.
      assert.deepEqual(await toVm.probe(), { source: 20, target: 0 });
      if (how === "announces itself") toVm.announced();
      await lab.node("worker1").detach(source.workload);
      const isLost = { source: 0, target: 0 };
      assert.deepEqual(await stream(far.wire, NESTED).probe(), isLost);
      if (how === "says nothing") assert.deepEqual(await toVm.probe(), isLost);
      assert.deepEqual([...next.forgotten, ...third.forgotten], []);

      for (const part of [next, third]) {
        await part.hear("worker1");
        assert.deepEqual(part.forgotten, [["pod1", "worker1"]]);
      }
      for (const { wire } of [near, beside, far]) {
        for (const mac of [source.mac, NESTED]) {
          assert.deepEqual(await stream(wire, mac).probe(), { source: 0, target: 20 }, `to ${mac}`);
        }
      }
    },
  );
}
