/** What others do to a LAN's links and to its underlay: mended from events, and told while it lasts. */

import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  seedLan,
  type Workload,
} from "../support/agent_lab.ts";
import type { LabProcess } from "../support/lab_process.ts";
import { rootTest } from "../support/netns_lab.ts";
import {
  differingLines,
  type NodePicture,
  takePicture,
  untilPicture,
} from "../support/node_picture.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";

interface Drift {
  /** What happened. */
  readonly name: string;
  /** A shell command in the node's namespace; `$lan` enters the LAN's, `$a` and `$b` the workloads'. */
  readonly cause: string;
  /** The cause takes several steps, and the agent is to see them together. */
  readonly atOnce?: true;
  /** For what has to end before it can be mended: the state meanwhile, and how it ends. */
  readonly meanwhile?: Meanwhile;
}

interface Meanwhile {
  /** Reasons that the agent gives, in order. */
  readonly reasons: readonly string[];
  /** Lines of the picture that differ, as a pattern each. */
  readonly differs?: readonly RegExp[];
  readonly end: string;
}

const INSIDE: readonly Drift[] = [
  { name: "a deleted VXLAN", cause: "$lan ip link del vx2" },
  { name: "a deleted bridge", cause: "$lan ip link del br2" },
  {
    name: "VXLAN and bridge deleted together",
    cause: "$lan ip link del vx2; $lan ip link del br2",
  },
  { name: "a renamed bridge", cause: "$lan ip link set br2 down name other" },
  { name: "a renamed VXLAN", cause: "$lan ip link set vx2 down name other" },
  {
    name: "a VXLAN of another VNI in its place",
    atOnce: true,
    cause:
      "$lan ip link del vx2; ip link add vx2 type vxlan id 7 group ff02::14 dev eth1 dstport 4789; ip link set vx2 netns $netns",
  },
  { name: "a port released from the bridge", cause: "$lan ip link set pod1.b nomaster" },
  { name: "the VXLAN released from the bridge", cause: "$lan ip link set vx2 nomaster" },
  { name: "a port that is down", cause: "$lan ip link set pod1.b down" },
  { name: "a bridge that is down", cause: "$lan ip link set br2 down" },
  { name: "a VXLAN that is down", cause: "$lan ip link set vx2 down" },
  { name: "a loopback that is down", cause: "$lan ip link set lo down" },
  { name: "a host end that is down", cause: "ip link set pod1 down" },
  { name: "a host end that answers ARP", cause: "ip link set pod1 arp on" },
  {
    name: "the reset group_fwd_mask of a port",
    cause: "$lan ip link set pod1.b type bridge_slave group_fwd_mask 0",
  },
  {
    name: "the reset group_fwd_mask of the VXLAN",
    cause: "$lan ip link set vx2 type bridge_slave group_fwd_mask 0",
  },
  {
    name: "a bridge that snoops and runs STP",
    cause: "$lan ip link set br2 type bridge mcast_snooping 1 stp_state 1",
  },
  { name: "another MTU of the VXLAN", cause: "$lan ip link set vx2 mtu 1400" },
  { name: "another MTU of the bridge", cause: "$lan ip link set br2 mtu 1400" },
  {
    name: "marks wiped off",
    cause: "$lan ip link set br2 alias ''; $lan ip link set vx2 alias ''",
  },
  { name: "a deleted host end", cause: "ip link del pod1" },
  { name: "a deleted port of a macvtap", cause: "$lan ip link del pod1.b" },
  { name: "a deleted port of a veth", cause: "$lan ip link del pod2.b" },
  { name: "a macvtap deleted by its workload", cause: "$a ip link del net1" },
  { name: "the unmounted namespace of the LAN", cause: "umount $netns" },
  { name: "the removed namespace of the LAN", cause: "umount $netns; rm $netns" },
];

for (const drift of INSIDE) {
  rootTest(`DriftWatch mends ${drift.name} within two seconds`, async () => {
    await using stage = await Stage.prepare();
    if (drift.atOnce) await stage.atOnce(drift.cause);
    else await stage.shell(drift.cause);
    await stage.healed();
  });
}

/** As the lab made it, so that the picture is the same again. */
const MAKE_UNDERLAY = "ip link add eth1 address $mac type veth peer name worker1 netns $fabric; " +
  "nsenter --net=$fabric ip link set worker1 master fabric up; ip link set eth1 up";

const UNDERLAY: readonly (Drift & { readonly meanwhile: Meanwhile })[] = [
  {
    name: "is deleted and made anew",
    cause: "ip link del eth1",
    meanwhile: {
      reasons: ["UnderlayMissing"],
      differs: [/^- \/lans\/knlvrf\/links\/vx2/],
      end: MAKE_UNDERLAY,
    },
  },
  {
    name: "is down and up",
    cause: "ip link set eth1 down",
    meanwhile: { reasons: ["UnderlayDown"], end: "ip link set eth1 up" },
  },
  {
    name: "loses its carrier",
    cause: "nsenter --net=$fabric ip link set worker1 down",
    meanwhile: {
      reasons: ["UnderlayDown"],
      end: "nsenter --net=$fabric ip link set worker1 up",
    },
  },
  {
    name: "is renamed and gets its name back",
    cause: "ip link set eth1 down; ip link set eth1 name away up",
    meanwhile: {
      reasons: ["UnderlayMissing"],
      end: "ip link set away down; ip link set away name eth1 up",
    },
  },
  {
    name: "gets a smaller MTU and the old one",
    cause: "ip link set eth1 mtu 1400",
    meanwhile: {
      reasons: ["AttachmentMtuTooLarge"],
      differs: [
        /^\+ \/lans\/knlvrf\/links\/vx2\/mtu: 1326$/,
        /^\+ \/lans\/knlvrf\/links\/br2\/mtu: 1326$/,
      ],
      end: "ip link set eth1 mtu 1500",
    },
  },
  {
    name: "gets an MTU too small for IPv6 and the old one",
    cause: "ip link set eth1 mtu 1200",
    meanwhile: {
      reasons: ["UnderlayMtuTooSmall"],
      differs: [/^- \/host\/groups\//],
      end: "ip link set eth1 mtu 1500",
    },
  },
  {
    name: "has IPv6 switched off and on",
    cause: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1",
    meanwhile: {
      reasons: ["Ipv6Off"],
      end: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=0",
    },
  },
  {
    name: "loses its link-local address",
    cause: "ip -6 addr flush dev eth1 scope link",
    meanwhile: { reasons: ["NoIpv6Source"], end: "ip -6 addr add $linklocal/64 dev eth1" },
  },
];

for (const { name, cause, meanwhile } of UNDERLAY) {
  rootTest(`Reconciler tells when the underlay ${name}, and LANs work again after`, async () => {
    await using stage = await Stage.prepare();
    await stage.shell(cause);
    await stage.tells(meanwhile);
    await stage.shell(meanwhile.end);
    await stage.healed();
  });
}

rootTest("Reconciler mends a LAN whatever a workload has done to its interface", async () => {
  await using stage = await Stage.prepare();
  // As KubeVirt's bridge binding does: the interface gets another name, and something else its own.
  for (const netns of ["$a", "$b"]) {
    await stage.shell(
      `${netns} ip link set net1 down; ${netns} ip link set net1 name net1-nic up;` +
        `${netns} ip link add net1 type bridge`,
    );
  }
  await stage.shell("$lan ip link del br2; $lan ip link del vx2; ip link set pod1 down");
  await stage.healed(({ host, lans }) => ({ host, lans }));
});

rootTest("Reconciler makes a LAN anew when its lost namespace is given up at last", async () => {
  await using stage = await Stage.prepare();
  const holder = stage.hold();
  await stage.shell("umount $netns");
  await stage.isReached();
  holder.kill("SIGKILL");
  await stage.healed();
});

const MEANWHILE: readonly Drift[] = [
  { name: "bridge and VXLAN deleted", cause: "$lan ip link del vx2; $lan ip link del br2" },
  { name: "links that are down", cause: "ip link set pod1 down; $lan ip link set pod2.b down" },
  { name: "a spoke and a veth deleted", cause: "ip link del pod1; $lan ip link del pod2.b" },
  { name: "the LAN's namespace unmounted", cause: "umount $netns" },
];

for (const { name, cause } of MEANWHILE) {
  rootTest(`Reconciler mends what happened while no agent ran: ${name}`, async () => {
    await using stage = await Stage.prepare();
    await stage.whileStopped(cause);
    await stage.healed();
  });
}

rootTest("Reconciler moves a LAN to another underlay when its device map says so", async () => {
  await using stage = await Stage.prepare();
  await stage.shell(
    "ip link add eth2 type veth peer name second netns $fabric;" +
      "nsenter --net=$fabric ip link set second master fabric up; ip link set eth2 up",
  );
  await stage.moveTo("eth2");
  await stage.moveTo("eth1");
  await stage.shell("ip link del eth2");
  await stage.healed(({ host, lans, workloads }) => ({ host, lans, workloads }));
});

rootTest("DriftWatch keeps up with a host whose links come and go all the time", async () => {
  await using stage = await Stage.prepare();
  const churn = stage.churn();
  for (const cause of ["$lan ip link del br2", "ip link del pod1", "$lan ip link set vx2 down"]) {
    await stage.shell(cause);
    await stage.healed(({ lans, workloads }) => ({ lans, workloads }));
  }
  churn.kill("SIGKILL");
  await churn.ended;
});

/** A LAN over two nodes: a macvtap and a veth on the first, and one more workload on the second. */
class Stage implements AsyncDisposable {
  readonly #lab: AgentLab;
  readonly #node: AgentNode;
  readonly #workloads: readonly [Workload, Workload];
  readonly #whole: NodePicture;
  readonly #variables: string;

  private constructor(
    lab: AgentLab,
    workloads: readonly [Workload, Workload],
    whole: NodePicture,
    variables: string,
  ) {
    this.#lab = lab;
    this.#node = lab.node("worker1");
    this.#workloads = workloads;
    this.#whole = whole;
    this.#variables = variables;
  }

  static async prepare(): Promise<Stage> {
    const lab = await createAgentLab({ nodes: 2 });
    try {
      await lab.putLan(seedLan(lab));
      const [one, two] = [lab.node("worker1"), lab.node("worker2")];
      const a = await attach(lab, one, "pod1", "10.9.0.1", "macvtap");
      const b = await attach(lab, one, "pod2", "10.9.0.2", "veth");
      await attach(lab, two, "pod3", "10.9.0.3", "macvtap");
      const whole = await takePicture(one, [a, b]);
      const stage = new Stage(lab, [a, b], whole, await variables(lab, a, b));
      await stage.isReached();
      return stage;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async shell(command: string): Promise<void> {
    await this.#node.host.run(["sh", "-euc", `${this.#variables}\n${command}`]);
  }

  /** Keeps the LAN's namespace alive, whatever becomes of its file. */
  hold(): LabProcess {
    return this.#lab.net.spawn(`${this.#node.netnsDir}/knlvrf`, ["sleep", "1000"]);
  }

  async atOnce(command: string): Promise<void> {
    this.#node.agent.kill("SIGSTOP");
    await this.shell(command);
    this.#node.agent.kill("SIGCONT");
  }

  async whileStopped(command: string): Promise<void> {
    await this.#node.stop("SIGKILL");
    await this.shell(command);
    await this.#node.start();
  }

  /** Names another underlay for the node; returns when its frames go that way. */
  async moveTo(device: string): Promise<void> {
    const lan = seedLan(this.#lab);
    await this.#node.putLan({
      ...lan,
      spec: { ...lan.spec, vxlanDevMap: { [this.#node.uniqueName]: device } },
    });
    await this.#explain(async () => {
      await until(`the LAN's group is joined on "${device}" alone`, async () => {
        const { host } = await this.#look();
        return host.groups.join() === `${device} ff020000000000000000000000000014 1`;
      }, { timeout: 2_000 });
      await this.#forgetNeighbours();
      await this.isReached();
    });
  }

  /** Makes and removes links as fast as it can, until it is killed. */
  churn(): LabProcess {
    return this.#node.host.spawn([
      ...["sh", "-c"],
      "while :; do ip link add c1 type veth peer name c2; ip link set c1 up; ip link del c1; done",
    ]);
  }

  /** Everything, or `part` of it, is as in the beginning, and nothing is complained about. */
  async healed(part: (picture: NodePicture) => object = (picture) => picture): Promise<void> {
    await this.#explain(async () => {
      const whole = part(this.#whole);
      await untilPicture("as it was", async () => part(await this.#look()), whole);
      await until("no complaint", async () => (await this.#conditions()).length === 0, {
        timeout: 2_000,
      });
      // Nothing must be reached only because it was learned before.
      await this.#forgetNeighbours();
      await this.isReached();
      await this.#isQuiet();
    });
  }

  /** Frames get to the other node and back. */
  async isReached(): Promise<void> {
    await until("the other node answers", async () => {
      await this.#workloads[0].run(PING);
      return true;
    }, { timeout: 5_000 });
  }

  async tells({ reasons, differs = [] }: Meanwhile): Promise<void> {
    await this.#explain(async () => {
      await until(`complaints ${reasons.join(", ")}`, async () => {
        const found = await this.#conditions();
        assert.deepEqual(found.map(({ reason }) => reason), reasons);
        const lines = differingLines(await this.#look(), this.#whole);
        const touched = lines.filter((line) => /\/pod[12]\b|\/workloads\//.test(line));
        assert.deepEqual(touched, [], "Workloads and their spokes have nothing to do with it");
        for (const pattern of differs) {
          assert.ok(lines.some((line) => pattern.test(line)), `${pattern}`);
        }
        return true;
      }, { timeout: 2_000 });
      for (const { message } of await this.#conditions()) assert.match(message, /lan-test/);
      await this.#isQuiet();
    });
  }

  /** A state that lasts is no reason to write to the kernel again and again. */
  async #isQuiet(): Promise<void> {
    const done = () => this.#node.agent.output.split(`"Operations done"`).length;
    const before = done();
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal(done(), before, "The agent goes on writing to the kernel");
  }

  async #conditions() {
    return (await this.#node.view()).lans.flatMap(({ conditions }) => conditions);
  }

  async #forgetNeighbours(): Promise<void> {
    for (const node of this.#lab.nodes) {
      await node.host.run(["nsenter", `--net=${node.netnsDir}/knlvrf`, ...FLUSH]);
    }
    await this.#workloads[0].run(["ip", "neigh", "flush", "all"]);
  }

  #look(): Promise<NodePicture> {
    return takePicture(this.#node, this.#workloads);
  }

  async #explain(check: () => Promise<void>): Promise<void> {
    try {
      await check();
    } catch (cause) {
      throw new Error(`The agent wrote:\n${this.#node.agent.output.slice(-8_000)}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
  }
}

const PING = ["ping", "-c1", "-W1", "10.9.0.3"];
/** Forgets what was learned; the VXLAN's own entry, which says where the group is, must stay. */
const FLUSH = [
  ...["sh", "-euc"],
  "bridge fdb show dev vx2 | grep dst | grep -v ^00:00:00:00:00:00 | " +
  "while read mac rest; do bridge fdb del $mac dev vx2 self; done; " +
  "ip link set br2 type bridge fdb_flush",
];

async function attach(
  lab: AgentLab,
  node: AgentNode,
  spoke: string,
  address: string,
  attach: "macvtap" | "veth",
): Promise<Workload> {
  const workload = await lab.addWorkload(spoke);
  // A link-local address would be tentative for a while.
  await workload.run(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
  await node.attach(workload, { lan: LAN, spoke, attach });
  await node.ask({
    ...{ op: "configure", containerId: spoke, ifname: "net1", netns: workload.netns },
    ...{ ips: [{ address: `${address}/24` }], routes: [] },
  });
  return workload;
}

async function variables(lab: AgentLab, a: Workload, b: Workload): Promise<string> {
  const { host, netnsDir } = lab.node("worker1");
  const eth1 = (await host.links()).find(({ ifname }) => ifname === "eth1");
  return [
    `netns=${netnsDir}/knlvrf`,
    'lan="nsenter --net=$netns"',
    `a="nsenter --net=${a.netns}"`,
    `b="nsenter --net=${b.netns}"`,
    `fabric=${lab.net.netnsPath("fabric")}`,
    `mac=${eth1?.address}`,
    `linklocal=${await host.linkLocal("eth1")}`,
  ].join("\n");
}
