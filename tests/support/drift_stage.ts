/** A LAN that is in order, to see what becomes of it when somebody meddles with it. */

import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  seedLan,
  type Workload,
} from "./agent_lab.ts";
import type { LabProcess } from "./lab_process.ts";
import { differingLines, type NodePicture, takePicture, untilPicture } from "./node_picture.ts";
import { settled } from "./settled.ts";
import { until } from "./until.ts";

const LAN = "k8slan-system/lan-test";

/** What is the case until whatever is wrong ends. */
export interface Meanwhile {
  /** Reasons that the agent gives, in order. */
  readonly reasons: readonly string[];
  /** Lines of the picture that differ, as a pattern each. */
  readonly differs?: readonly RegExp[];
  readonly end: string;
  /** What one of the conditions says. */
  readonly says?: RegExp;
  /** Within so much it is over after `end`, if more than ten seconds. Milliseconds. */
  readonly heals?: number;
  /** Within so much the agent has to say so, if more than ten seconds. Milliseconds. */
  readonly within?: number;
}

/** What carries the LAN. */
export interface StageUnderlay {
  readonly device: string;
  /** A shell command that makes it on a node that has `eth1`; with `$address`, if it is to have one. */
  readonly make: string;
}

/** For what an event brings about; without one, the agent would look after minutes only. Milliseconds. */
const WAIT_MS = 10_000;

const ETH1: StageUnderlay = { device: "eth1", make: "true" };

/** A LAN over two nodes: a macvtap and a veth on the first, and one more workload on the second. */
export class DriftStage implements AsyncDisposable {
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

  /** `spec` replaces fields of the LAN. */
  static async prepare({ device, make } = ETH1, spec: object = {}): Promise<DriftStage> {
    const lab = await createAgentLab({ nodes: 2, peers: true });
    try {
      for (const { host } of lab.nodes) {
        await host.run(["sh", "-euc", `address=; ${make}`]);
        await host.linkLocal(device);
      }
      const seed = seedLan(lab);
      const vxlanDevMap = Object.fromEntries(lab.nodes.map((node) => [node.uniqueName, device]));
      await lab.putLan({ ...seed, spec: { ...seed.spec, vxlanDevMap, ...spec } });
      const [one, two] = [lab.node("worker1"), lab.node("worker2")];
      const a = await attach(lab, one, "pod1", "10.9.0.1", "macvtap");
      const b = await attach(lab, one, "pod2", "10.9.0.2", "veth");
      await attach(lab, two, "pod3", "10.9.0.3", "macvtap");
      const whole = await settled(() => takePicture(one, [a, b]));
      const stage = new DriftStage(lab, [a, b], whole, await variables(lab, device, a, b));
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

  /** Keeps the LAN's namespace alive from now on, whatever becomes of its file. */
  hold(): Promise<LabProcess> {
    return this.#lab.net.hold(`${this.#node.netnsDir}/knlvrf`);
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
      }, { timeout: WAIT_MS });
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

  /**
   * Everything, or `part` of it, is as in the beginning, and nothing is complained about. Returns after
   * how many milliseconds it was as in the beginning.
   */
  async healed(
    part: (picture: NodePicture) => object = (picture) => picture,
    within = WAIT_MS,
  ): Promise<number> {
    return await this.#explain(async () => {
      const whole = part(this.#whole);
      const look = async () => part(await this.#look());
      const { milliseconds } = await untilPicture("as it was", look, whole, within);
      await until("no complaint", async () => (await this.#conditions()).length === 0, {
        timeout: within,
      });
      // Nothing must be reached only because it was learned before.
      await this.#forgetNeighbours();
      await this.isReached();
      await this.#isQuiet();
      return milliseconds;
    });
  }

  /** Frames get to the other node and back. */
  async isReached(): Promise<void> {
    await until("the other node answers", async () => {
      await this.#workloads[0].run(PING);
      return true;
    }, { timeout: WAIT_MS });
  }

  async tells({ reasons, differs = [], says, within = WAIT_MS }: Meanwhile): Promise<void> {
    await this.#explain(async () => {
      await until(`complaints ${reasons.join(", ")}`, async () => {
        const found = await this.#conditions();
        assert.deepEqual(found.map(({ reason }) => reason), reasons);
        if (says !== undefined) assert.match(found.map(({ message }) => message).join(), says);
        const lines = differingLines(await this.#look(), this.#whole);
        const touched = lines.filter((line) => /\/pod[12]\b|\/workloads\//.test(line));
        assert.deepEqual(touched, [], "Workloads and their spokes have nothing to do with it");
        for (const pattern of differs) {
          assert.ok(lines.some((line) => pattern.test(line)), `${pattern}`);
        }
        return true;
      }, { timeout: within });
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

  async #explain<T>(check: () => Promise<T>): Promise<T> {
    try {
      return await check();
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

async function variables(
  lab: AgentLab,
  device: string,
  a: Workload,
  b: Workload,
): Promise<string> {
  const { host, netnsDir } = lab.node("worker1");
  const links = await host.links();
  const addressOf = (name: string) => links.find(({ ifname }) => ifname === name)?.address;
  return [
    `netns=${netnsDir}/knlvrf`,
    'lan="nsenter --net=$netns"',
    `a="nsenter --net=${a.netns}"`,
    `b="nsenter --net=${b.netns}"`,
    `fabric=${lab.net.netnsPath("fabric")}`,
    `mac=${addressOf("eth1")}`,
    `submac=${addressOf(device)}`,
    `linklocal=${await host.linkLocal(device)}`,
  ].join("\n");
}
