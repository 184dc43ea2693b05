/** `/dev/tapN` of a macvtap: who may open it, what passes through it, and that N is nobody else's. */

import assert from "node:assert/strict";
import { LabProcess } from "../support/lab_process.ts";
import { createAgentLab, type LanDocument, seedLan, type Workload } from "../support/agent_lab.ts";
import { addTap, attachTap, LAN, MTU, untilTapsHear } from "../support/tap_pod.ts";
import { splitDeviceNumber } from "../../src/sys/tap_device.ts";
import { differences, newMark, oneOfEach, sentinel } from "../support/frame_kinds.ts";
import { lanTest } from "../support/lan_features.ts";
import { bytes, contains, ethernet, ipv4, u16, UDP } from "../support/packets.ts";
import { FrameSocket } from "../support/raw_frames.ts";
import { TapQueue } from "../support/tap_device.ts";
import { type GuestAddresses, TapGuest } from "../support/tap_guest.ts";
import { until } from "../support/until.ts";

lanTest(
  "guests behind taps of two nodes find and reach each other, and a pod's stack",
  async (t) => {
    await using lab = await createAgentLab({ nodes: 3 });
    await lab.putLan(seedLan(lab));
    const [near, far] = await Promise.all([
      addTap(lab, "worker1", "pod1"),
      addTap(lab, "worker3", "pod4"),
    ]);
    const pod = await lab.addWorkload("pod");
    const { mac } = await lab.node("worker2").attach(pod, {
      ...{ lan: LAN, spoke: "pod3", attach: "veth" },
    });
    await lab.node("worker2").ask({
      op: "configure",
      ...{ containerId: "pod", ifname: "net1", netns: pod.netns, routes: [] },
      ips: [{ address: "10.9.0.3/24" }, { address: "2001:db8:9::3/64" }],
    });
    await untilTapsHear(near, far, { workload: pod, mac });
    const addresses = (mac: string, at: number): GuestAddresses => ({
      ...{ mac, ipv4: `10.9.0.${at}`, ipv6: `2001:db8:9::${at}` },
    });
    using nearTap = new TapQueue(near.tap);
    using farTap = new TapQueue(far.tap);
    await using one = new TapGuest(nearTap, addresses(near.mac, 1));
    // A guest may have any address it likes.
    await using four = new TapGuest(farTap, addresses("02:99:00:00:00:04", 4));

    await t.step("guest to guest, by ARP", async () => {
      await one.ping("10.9.0.4");
      await four.ping("10.9.0.1");
    });
    await t.step("guest to guest, by neighbour discovery", async () => {
      await one.ping6("2001:db8:9::4");
      await four.ping6("2001:db8:9::1");
    });
    await t.step("guest to pod", async () => {
      await one.ping("10.9.0.3");
      await four.ping6("2001:db8:9::3");
    });
    await t.step("pod to guest", async () => {
      // The guests answer as soon as this process gets round to it.
      const pings = (...args: string[]) =>
        until(`the pod pings ${args}`, async () => {
          await pod.run(["ping", "-c1", "-W2", ...args]);
          return true;
        });
      await pings("10.9.0.4");
      await pings("2001:db8:9::1");
      await pings("-Mdo", `-s${MTU - 28}`, "10.9.0.1");
    });
    await t.step("guest to guest, after their agents were killed and started again", async () => {
      await Promise.all(lab.nodes.map((node) => node.restart("SIGKILL")));
      await one.ping("10.9.0.4");
      await four.ping6("2001:db8:9::1");
    });
  },
);

lanTest("a tap carries every kind of frame unchanged, both ways", async (t) => {
  await using lab = await createAgentLab({ nodes: 2 });
  await lab.putLan(seedLan(lab));
  const [near, far] = await Promise.all([
    addTap(lab, "worker1", "pod1"),
    addTap(lab, "worker2", "pod2"),
  ]);
  await untilTapsHear(near, far);
  for (const vnetHeader of [true, false]) {
    await t.step(vnetHeader ? "with virtio headers" : "frames alone", async () => {
      using nearTap = new TapQueue(near.tap, { vnetHeader });
      using farTap = new TapQueue(far.tap, { vnetHeader });
      const ends = [{ tap: nearTap, mac: near.mac }, { tap: farTap, mac: far.mac }] as const;
      for (const [from, to] of [ends, [ends[1], ends[0]]] as const) {
        to.tap.take();
        const frames = oneOfEach({ src: from.mac, dst: to.mac, mtu: MTU });
        for (const { frame } of frames) from.tap.send(frame);
        const received = await to.tap.takeUntil((all) => all.length >= frames.length);
        assert.deepEqual(differences(frames, received), []);
      }
    });
  }
});

lanTest("a tap drops what is longer than the LAN's MTU", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  await lab.putLan(seedLan(lab));
  const [near, far] = [await addTap(lab, "worker1", "pod1"), await addTap(lab, "worker1", "pod2")];
  await untilTapsHear(near, far);
  using from = new TapQueue(near.tap);
  using to = new TapQueue(far.tap);
  const mark = newMark();
  const header = { src: near.mac, dst: far.mac, type: 0x88b5 };
  from.send(ethernet(header, bytes(mark, new Uint8Array(MTU + 1))));
  const last = sentinel(near.mac);
  from.send(last.frame);
  const received = await to.takeUntil((all) => all.length > 0);
  assert.deepEqual(differences([last], received), []);
  assert.equal(received.filter((frame) => contains(frame, mark)).length, 0);
});

lanTest("a tap has as many queues as it is opened: each frame comes at one of them", async () => {
  await using lab = await createAgentLab({ nodes: 2 });
  await lab.putLan(seedLan(lab));
  const [near, far] = await Promise.all([
    addTap(lab, "worker1", "pod1"),
    addTap(lab, "worker2", "pod2"),
  ]);
  await untilTapsHear(near, far);
  using wire = new FrameSocket(near.workload.netns, "net1");
  using a = new TapQueue(far.tap);
  using b = new TapQueue(far.tap);
  using c = new TapQueue(far.tap);
  using d = new TapQueue(far.tap);
  const queues = [a, b, c, d];
  const flows = Array.from({ length: 64 }, (_, at) =>
    ipv4(
      { mac: near.mac, ip: "10.9.0.1" },
      { mac: far.mac, ip: "10.9.0.2" },
      UDP,
      bytes(u16(1000 + at), u16(9), u16(40), [0, 0], newMark(), new Uint8Array(24)),
    ));
  for (const frame of flows) wire.send(frame);
  const taken: string[][] = queues.map(() => []);
  const deadline = performance.now() + 5_000;
  while (taken.flat().length < flows.length && performance.now() < deadline) {
    await Promise.race(queues.map((queue) => queue.readable(100)));
    queues.forEach((queue, at) => taken[at]!.push(...queue.take().map((frame) => frame.toHex())));
  }
  assert.deepEqual(taken.flat().sort(), flows.map((frame) => frame.toHex()).sort());
  assert.ok(taken.filter((frames) => frames.length > 0).length > 1, "flows are spread");
  for (const queue of queues) {
    wire.take();
    const frame = sentinel(far.mac);
    queue.send(frame.frame);
    await wire.first("a frame of each queue", (found) => contains(found, frame.mark));
  }
});

lanTest("a tap belongs to its owner alone, whom the agent is told", async (t) => {
  for (const owner of [undefined, "1234:5678"]) {
    await t.step(owner ?? "107:107 where nobody says otherwise", async () => {
      await using lab = await createAgentLab({
        nodes: 1,
        ...(owner === undefined ? {} : { tapOwner: owner }),
      });
      await lab.putLan(seedLan(lab));
      const { tap } = await addTap(lab, "worker1", "pod1");
      const { uid, gid, mode, isCharDevice } = await Deno.lstat(tap);
      assert.equal(`${uid}:${gid}`, owner ?? "107:107");
      assert.equal((mode ?? 0) & 0o7777, 0o600);
      assert.equal(isCharDevice, true);
      assert.equal(await opens(tap, uid, gid), true);
      assert.equal(await opens(tap, (uid ?? 0) + 1, gid), false);
    });
  }
});

/** Can a process of that user open the device to read and write? */
async function opens(path: string, uid: number | null, gid: number | null): Promise<boolean> {
  const user = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  await using process = new LabProcess(["setpriv", ...user, "sh", "-c", `exec 3<>${path}`]);
  return (await process.ended).code === 0;
}

lanTest(
  "a tap's N is its interface's index, and stays whatever happens to the agent",
  async () => {
    await using lab = await createAgentLab({ nodes: 1 });
    const node = lab.node("worker1");
    const lan = seedLan(lab);
    await lab.putLan(lan);
    const first = await addTap(lab, "worker1", "pod1");
    const other = await addTap(lab, "worker1", "pod2");
    const { workload } = first;
    assert.equal(first.tap, await ownIndex(workload));

    await node.restart();
    assert.equal(await ownIndex(workload), first.tap);
    assert.equal(
      (await node.view()).attachments.find(({ spoke }) => spoke === "pod1")?.tap,
      first.tap,
    );

    await node.detach(workload);
    await gone(first.tap);
    assert.equal((await attachTap(node, workload, "pod1")).tap, first.tap, "attached anew");

    await node.detach(workload);
    await node.detach(other.workload);
    await lab.removeLan(lan);
    await node.stop();
    await Deno.remove(node.stateDir, { recursive: true });
    await node.start();
    await lab.putLan(lan);
    assert.equal(
      (await attachTap(node, other.workload, "pod2")).tap,
      other.tap,
      "in another order",
    );
    assert.equal((await attachTap(node, workload, "pod1")).tap, first.tap, "after all was removed");
  },
);

/** The device of the index that `net1` has inside its workload. */
async function ownIndex(workload: Workload): Promise<string> {
  const link = (await workload.links()).find(({ ifname }) => ifname === "net1");
  return `/dev/tap${link?.ifindex}`;
}

async function gone(path: string): Promise<void> {
  await until(`"${path}" is gone`, async () => {
    return await Deno.lstat(path).then(() => false, () => true);
  });
}

lanTest("taps of three nodes on one machine are 192 different devices, each its own", async () => {
  await using lab = await createAgentLab({ nodes: 3 });
  const spokes = Array.from({ length: 64 }, (_, at) => `vm${at}`);
  const seed = seedLan(lab);
  const lan: LanDocument = { ...seed, spec: { ...seed.spec, spokes } };
  await lab.putLan(lan);
  const taps = (await Promise.all(lab.nodes.map(async (node) => {
    const workload = await lab.addWorkload(`${node.name}-pod`);
    const made: string[] = [];
    for (const spoke of spokes) {
      const { tap } = await node.attach(workload, { lan: LAN, spoke }, { ifname: spoke });
      made.push(tap ?? "none");
    }
    const real = await realDevices(workload);
    assert.equal(real.size, spokes.length);
    for (const [tap, device] of real) {
      const { major, minor } = splitDeviceNumber((await Deno.lstat(tap)).rdev ?? 0);
      assert.equal(`${major}:${minor}`, device, `${tap} of ${node.name}`);
    }
    assert.deepEqual(made.toSorted(), [...real.keys()].sort());
    return made;
  }))).flat();
  assert.equal(new Set(taps).size, 192);
});

/** Each device of a workload with its number, as sysfs of its namespace has it. */
async function realDevices(workload: Workload): Promise<Map<string, string>> {
  const script = "mount -t sysfs sysfs /sys; cd /sys/class/net; grep . */tap*/dev";
  const text = await workload.run(["unshare", "--mount", "sh", "-euc", script]);
  return new Map(
    text.trim().split("\n").map((line) => {
      const [, name = "", device = ""] = /\/(tap\d+)\/dev:(\S+)$/.exec(line) ?? [];
      return [`/dev/${name}`, device];
    }),
  );
}
