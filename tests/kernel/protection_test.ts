/** What workloads of a LAN may send: addresses pinned and broadcast limited, by frames that pass or do not. */

import assert from "node:assert/strict";
import { type AgentLab, type AgentNode, createAgentLab, seedLan } from "../support/agent_lab.ts";
import { allCame, differences, newMark, oneOfEach, sentinel } from "../support/frame_kinds.ts";
import { lanTest } from "../support/lan_features.ts";
import { LAN } from "../support/lan_stage.ts";
import { NumberedStream } from "../support/numbered_stream.ts";
import {
  BROADCAST,
  contains,
  ethernet,
  IPV6,
  NEIGHBOUR_SOLICITATION,
  readEthernet,
} from "../support/packets.ts";
import {
  attachStation,
  disposeAll,
  pass,
  type Station,
  untilAllHear,
} from "../support/stations.ts";
import { TapQueue } from "../support/tap_device.ts";
import { until } from "../support/until.ts";

const MTU = 1426;
/** What `NumberedStream` sends from. */
const STREAM_MAC = "02:00:00:00:00:77";
const FOREIGN_MAC = "02:66:66:66:66:66";

class Setting implements AsyncDisposable {
  readonly lab: AgentLab;
  readonly near: AgentNode;
  readonly far: AgentNode;
  readonly stations: Station[] = [];

  constructor(lab: AgentLab) {
    this.lab = lab;
    this.near = lab.node("worker1");
    this.far = lab.node("worker2");
  }

  /** Two nodes with the LAN, `spec` laid over its spec. */
  static async create(spec: Readonly<Record<string, unknown>>): Promise<Setting> {
    const setting = new Setting(await createAgentLab({ nodes: 2 }));
    try {
      await setting.put(spec);
      return setting;
    } catch (error) {
      await setting[Symbol.asyncDispose]();
      throw error;
    }
  }

  async put(spec: Readonly<Record<string, unknown>>): Promise<void> {
    const lan = seedLan(this.lab);
    await this.lab.putLan({ ...lan, spec: { ...lan.spec, ...spec } });
  }

  async attach(
    node: AgentNode,
    spoke: string,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<Station> {
    const station = await attachStation(this.lab, node.name, spoke, { lan: LAN, spoke, ...more });
    this.stations.push(station);
    return station;
  }

  /** Waits until each of the stations hears each other. */
  async ready(stations: readonly Station[] = this.stations): Promise<void> {
    await untilAllHear(stations);
  }

  /** The filters of a node's LAN as `nft` shows them, without what it counted; empty without any. */
  async rules(node: AgentNode): Promise<string> {
    const script = "nft list tables netdev | grep -q . || exit 0; nft list table netdev k8slan";
    const text = await this.lab.net.run(`${node.netnsDir}/knlvrf`, ["sh", "-ec", script]);
    return text.replaceAll(/packets \d+ bytes \d+/g, "");
  }

  async untilRules(node: AgentNode, what: RegExp): Promise<void> {
    await until(
      `rules of "${node.name}" are ${what}`,
      async () => what.test(await this.rules(node)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    disposeAll(this.stations)[Symbol.dispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Which of the frames come through, by their source addresses. */
async function comeThrough(from: Station, to: Station, sources: readonly string[]) {
  const frames = sources.map((src) => {
    const mark = newMark();
    return { src, mark, frame: ethernet({ src, dst: BROADCAST, type: 0x88b5 }, mark) };
  });
  for (const { frame } of frames) from.wire.send(frame);
  const received = await pass(from.wire, to.wire, [sentinel(from.mac)]);
  return frames.filter(({ mark }) => received.some((frame) => contains(frame, mark)))
    .map(({ src }) => src);
}

lanTest("pinMac lets all frames of the own address pass and none of another", async (t) => {
  await using setting = await Setting.create({ pinMac: true });
  const { near, far } = setting;
  const tap = await setting.attach(near, "pod1");
  const veth = await setting.attach(near, "pod2", { attach: "veth", mac: "02:12:34:56:78:9a" });
  const there = await setting.attach(far, "pod3");
  const here = await setting.attach(near, "pod4");
  await setting.ready();

  for (const [kind, from] of [["macvtap", tap], ["veth", veth]] as const) {
    for (const [where, to] of [["the same node", here], ["another node", there]] as const) {
      await t.step(`${kind} to ${where}`, async () => {
        to.wire.take();
        const frames = oneOfEach({ src: from.mac, dst: to.mac, mtu: MTU });
        const received = await pass(from.wire, to.wire, frames.filter(isOwn(from)));
        assert.deepEqual(differences(frames.filter(isOwn(from)), received), []);
        // Of another router's address, as those of VRRP are.
        for (const { frame } of frames) if (!isOwn(from)({ frame })) from.wire.send(frame);
        assert.deepEqual(await comeThrough(from, to, [FOREIGN_MAC, from.mac, to.mac]), [from.mac]);
      });
    }
  }
  await t.step("a guest on the macvtap's device", async () => {
    const { attachments } = await near.view();
    using guest = new TapQueue(attachments.find(({ spoke }) => spoke === "pod1")!.tap!);
    const frames = [FOREIGN_MAC, tap.mac].map((src) => sentinel(src));
    there.wire.take();
    for (const { frame } of frames) guest.send(frame);
    const received = await there.wire.takeUntil((all) => allCame(frames.slice(1), all));
    assert.deepEqual(frames.map(({ mark }) => received.some((one) => contains(one, mark))), [
      ...[false, true],
    ]);
  });
  await t.step("duplicate address detection, which has no IPv6 source", async () => {
    here.wire.take();
    const on = "sysctl -qw net/ipv6/conf/net1/disable_ipv6=0; ip -6 addr add fd00::1/64 dev net1";
    await veth.workload.run(["sh", "-ec", on]);
    await here.wire.first("a solicitation from ::", (frame) => {
      const { src, type, payload } = readEthernet(frame);
      return src === veth.mac && type === IPV6 && payload[40] === NEIGHBOUR_SOLICITATION &&
        payload.subarray(8, 24).every((byte) => byte === 0);
    }, 10_000);
  });
  await t.step("what was dropped is counted", async () => {
    const text = await setting.lab.net.run(`${near.netnsDir}/knlvrf`, [
      ...["nft", "list", "chain", "netdev", "k8slan", "from-pod1.b"],
    ]);
    // Twice a router's address, a foreign one and the receiver's, and one of the guest.
    assert.match(text, new RegExp(`ether saddr != ${tap.mac} counter packets 7 `));
  });
});

lanTest("pinMac hears a guest on its next veth where its address was asked for", async (t) => {
  await using setting = await Setting.create({ pinMac: true });
  const { near, far } = setting;
  const here = await setting.attach(near, "pod4");
  const on = async (node: AgentNode, name: string, asked: object) => {
    const station = await attachStation(setting.lab, node.name, name, {
      ...{ lan: LAN, attach: "veth", ...asked },
    });
    setting.stations.push(station);
    return station;
  };
  for (const [kind, asked] of [["given", {}], ["asked", { mac: "02:00:00:00:08:01" }]] as const) {
    await t.step(`an address that is ${kind}`, async () => {
      const first = await on(near, `${kind}-first`, asked);
      const next = await on(far, `${kind}-next`, asked);
      await setting.ready([next, here]);
      // A guest keeps the address of its first pod.
      const heard = await comeThrough(next, here, [first.mac]);
      assert.deepEqual(heard, kind === "asked" ? [first.mac] : []);
    });
  }
});

function isOwn({ mac }: Station) {
  return ({ frame }: { readonly frame: Uint8Array }) => readEthernet(frame).src === mac;
}

lanTest("pinMac of one LAN leaves another LAN as it is", async () => {
  await using setting = await Setting.create({ pinMac: true });
  const other = { ns: "free", bridge: "br", vxlan: "vx", vni: 7, defaultVxlanDev: "eth1" };
  await setting.lab.putLan({
    metadata: { name: "free" },
    spec: { ...other, spokes: ["f1", "f2"] },
  });
  await setting.attach(setting.near, "pod1");
  const from = await setting.attach(setting.near, "f1", { lan: "default/free" });
  const to = await setting.attach(setting.far, "f2", { lan: "default/free" });
  await setting.ready([from, to]);
  assert.deepEqual(await comeThrough(from, to, [FOREIGN_MAC]), [FOREIGN_MAC]);
  const tables = await setting.lab.net.run(`${setting.near.netnsDir}/free`, [
    ...["nft", "list", "tables"],
  ]);
  assert.equal(tables, "");
});

lanTest("broadcastLimit cuts a flood, of one workload alone, and no unicast", async (t) => {
  const LIMIT = 100;
  await using setting = await Setting.create({ broadcastLimit: LIMIT });
  const { near, far } = setting;
  const flooder = await setting.attach(near, "pod1", { mac: STREAM_MAC });
  const other = await setting.attach(near, "pod2", { attach: "veth" });
  const to = await setting.attach(far, "pod3");
  const end = ({ workload: { netns } }: Station) => ({ netns, ifname: "net1" });
  await setting.ready();
  for (
    const [kind, dst] of [["broadcast", BROADCAST], ["multicast", "01:00:5e:00:00:05"]] as const
  ) {
    await t.step(kind, async () => {
      const started = performance.now();
      using flood = new NumberedStream(end(flooder), end(to), 4 * LIMIT, dst);
      using unicast = new NumberedStream(end(flooder), end(to), 200, to.mac);
      await until("two seconds of a flood", () => flood.sent > 8 * LIMIT);
      const marked = sentinel(other.mac);
      assert.deepEqual(differences([marked], await pass(other.wire, to.wire, [marked])), []);
      const { sent, lost } = await flood.stop();
      const seconds = (performance.now() - started) / 1000;
      const passed = sent - lost.length;
      const most = LIMIT * (seconds + 1);
      assert.ok(passed > LIMIT && passed < most * 1.2, `${passed} of ${sent} in ${seconds} s`);
      const report = await unicast.stop();
      assert.deepEqual(report.lost, [], `of ${report.sent} unicast frames`);
    });
  }
});

lanTest("protection is taken on, changed and given up without the loss of a frame", async () => {
  await using setting = await Setting.create({});
  const { near, far } = setting;
  const from = await setting.attach(near, "pod1", { mac: STREAM_MAC });
  const to = await setting.attach(far, "pod3");
  const end = ({ workload: { netns } }: Station) => ({ netns, ifname: "net1" });
  await setting.ready();
  using stream = new NumberedStream(end(from), end(to), 1_000);
  for (let turn = 0; turn < 3; turn++) {
    await setting.put({ pinMac: true });
    await setting.untilRules(near, new RegExp(`saddr != ${STREAM_MAC}`));
    await setting.put({ pinMac: true, broadcastLimit: 10_000 });
    await setting.untilRules(near, /saddr != [^]*over 10000\/second burst 10000 packets/);
    await setting.put({ broadcastLimit: 20_000 });
    await setting.untilRules(near, /^(?![^]*saddr)[^]*over 20000\/second/);
    await setting.put({});
    await setting.untilRules(near, /^$/);
  }
  const { sent, lost, outOfPlace } = await stream.stop();
  assert.deepEqual({ lost, outOfPlace }, { lost: [], outOfPlace: 0 }, `of ${sent}`);
});

lanTest("a pinned address stays what it was, whatever happens to workload and agent", async (t) => {
  await using setting = await Setting.create({ pinMac: true, broadcastLimit: 5_000 });
  const { near, far } = setting;
  const from = await setting.attach(near, "pod1");
  const to = await setting.attach(far, "pod3");
  await setting.ready();
  const rules = await setting.rules(near);
  const holds = async () => {
    assert.deepEqual(await comeThrough(from, to, [FOREIGN_MAC, from.mac]), [from.mac]);
  };
  await holds();
  await t.step("the workload gives its interface another address", async () => {
    await from.workload.run(["ip", "link", "set", "net1", "address", FOREIGN_MAC]);
    await holds();
  });
  await t.step("the agent starts again", async () => {
    await near.restart("SIGKILL");
    await holds();
    assert.equal(await setting.rules(near), rules);
  });
  await t.step("somebody deletes the table", async () => {
    const lan = `${near.netnsDir}/knlvrf`;
    await setting.lab.net.run(lan, ["nft", "delete", "table", "netdev", "k8slan"]);
    // Makes the agent look.
    await setting.lab.net.run(lan, ["ip", "link", "set", "dev", "lo", "down"]);
    await setting.untilRules(near, new RegExp(`saddr != ${from.mac}`));
    await holds();
    assert.equal(await setting.rules(near), rules);
  });
  await t.step("the agent loses its state and starts again", async () => {
    await near.stop();
    await Deno.remove(near.stateDir, { recursive: true });
    await near.start();
    await holds();
    assert.equal(await setting.rules(near), rules);
  });
  await t.step("the limit changes then", async () => {
    await setting.put({ pinMac: true, broadcastLimit: 6_000 });
    await setting.untilRules(near, new RegExp(`saddr != ${from.mac}[^]*over 6000/second`));
    await holds();
  });
  await t.step("the address is lost with state and table", async () => {
    // A running agent could look in between, and mend the table.
    await near.stop();
    await setting.lab.net.run(`${near.netnsDir}/knlvrf`, [
      ...["nft", "flush", "ruleset"],
    ]);
    await near.start();
    const reason = async () => (await near.lan(seedLan(setting.lab)))?.conditions[0]?.reason;
    await until("the agent says so", async () => await reason() === "AddressNotPinned");
  });
  await t.step("the next workload on the spoke has its own", async () => {
    await near.detach(from.workload);
    const next = await attachStation(setting.lab, near.name, "next", {
      ...{ lan: LAN, spoke: "pod1", attach: "veth", mac: "02:99:00:00:00:01" },
    });
    setting.stations.push(next);
    await setting.ready([next, to]);
    assert.deepEqual(await comeThrough(next, to, [from.mac, next.mac]), [next.mac]);
  });
});
