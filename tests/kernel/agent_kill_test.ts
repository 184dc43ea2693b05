/**
 * The agent killed before and after each message to the kernel, in turn: whatever it was about to
 * do, the next start and the runtime's usual follow-up give the same as if nothing had happened.
 */

import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  denoRun,
  seedLan,
  type Workload,
} from "../support/agent_lab.ts";
import { rootTest } from "../support/netns_lab.ts";
import { randomInts } from "../support/random.ts";
import { NumberedStream } from "../support/numbered_stream.ts";
import { type NodePicture, takePicture, untilPicture } from "../support/node_picture.ts";
import { settled } from "../support/settled.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";
const NO_IPV6 = ["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"];
/** Nodes that take points from the same list, to use all of the machine. */
const NODES = 3;
const KILLS = 20;

interface Sweep {
  readonly name: string;
  readonly attach: "macvtap" | "veth";
  /** What the agent is killed in. */
  readonly during: "attach" | "detach" | "mend";
  /** Something else is attached to the LAN all the time. */
  readonly inUse: boolean;
  /** Its ports have filters. */
  readonly guarded?: true;
  /** No fewer messages than this are expected, or the test would prove nothing. */
  readonly messagesMin: number;
}

const SWEEPS: readonly Sweep[] = [
  {
    name: "ADD of a LAN's first attachment",
    ...{ attach: "macvtap", during: "attach", inUse: false, messagesMin: 8 },
  },
  {
    name: "ADD to a LAN that is there",
    ...{ attach: "macvtap", during: "attach", inUse: true, messagesMin: 6 },
  },
  {
    name: "ADD of a veth",
    ...{ attach: "veth", during: "attach", inUse: false, guarded: true, messagesMin: 7 },
  },
  {
    name: "DEL of a LAN's last attachment",
    ...{ attach: "macvtap", during: "detach", inUse: false, messagesMin: 4 },
  },
  {
    name: "DEL of one of two attachments",
    ...{ attach: "veth", during: "detach", inUse: true, guarded: true, messagesMin: 3 },
  },
  {
    name: "the mending of a VXLAN and a spoke",
    ...{ attach: "macvtap", during: "mend", inUse: true, guarded: true, messagesMin: 7 },
  },
];

for (const sweep of SWEEPS) {
  rootTest(`agentMain() killed at any message of ${sweep.name} is put right`, async () => {
    await using lab = await createAgentLab({
      nodes: NODES,
      agentProgram: denoRun("tests/support/faulty_agent.ts"),
    });
    const lan = seedLan(lab);
    const spec = sweep.guarded ? { pinMac: true, broadcastLimit: 5_000 } : {};
    const spokes = lab.nodes.flatMap(spokesOf);
    await lab.putLan({ ...lan, spec: { ...lan.spec, ...spec, spokes } });
    const stages = await Promise.all(lab.nodes.map((node) => Stage.prepare(lab, node, sweep)));
    let messages = 0;
    // Until one lives, since there was no such message.
    await share(stages, async (stage, at) => {
      const died = await stage.killAt(`before ${at}`);
      if (died) messages = Math.max(messages, at);
      return died;
    });
    assert.ok(messages >= sweep.messagesMin, `Only ${messages} messages were sent`);
    // Nothing but messages happens in mending: after one is before the next.
    if (sweep.during === "mend") return;
    await share(stages, async (stage, at) => {
      if (at <= messages) await stage.killAt(`after ${at}`);
      return at < messages;
    });
  });
}

rootTest(
  "agentMain() killed at random while workloads come and go loses and leaves nothing",
  async () => {
    await using lab = await createAgentLab({ nodes: 2 });
    const names = Array.from({ length: 12 }, (_, at) => `p${at}`);
    const lan = seedLan(lab);
    await lab.putLan({ ...lan, spec: { ...lan.spec, spokes: ["steady1", "steady2", ...names] } });
    const [one, two] = [lab.node("worker1"), lab.node("worker2")];
    const [from, to] = [await lab.addWorkload("from"), await lab.addWorkload("to")];
    await one.attach(from, { lan: LAN, spoke: "steady1" });
    await two.attach(to, { lan: LAN, spoke: "steady2" });
    const before = await settled(() => takePicture(one));
    await settled(() => takePicture(two));
    const pods = await Promise.all(names.map((name) => lab.addWorkload(name)));

    using stream = new NumberedStream(
      { netns: from.netns, ifname: "net1" },
      { netns: to.netns, ifname: "net1" },
    );
    let goOn = true;
    let attached = 0;
    const runtime = Promise.all(pods.map(async (pod, at) => {
      const attach = at % 3 === 0 ? "veth" : "macvtap";
      while (goOn) {
        if (await tries(() => one.attach(pod, { lan: LAN, spoke: pod.name, attach }))) attached++;
        while (!await tries(() => one.detach(pod)));
      }
    }));
    const random = randomInts(1);
    for (let time = 0; time < KILLS; time++) {
      const { length } = one.agent.output;
      const lines = 1 + random(30);
      await until(`the agent has done ${lines} things`, () => {
        return one.agent.output.slice(length).split("\n").length > lines;
      });
      await one.restart(random(4) === 0 ? "SIGTERM" : "SIGKILL");
    }
    goOn = false;
    await runtime;
    assert.ok(attached > KILLS, `Only ${attached} attachments were made`);
    const { lost, outOfPlace } = await stream.stop();
    assert.deepEqual({ lost, outOfPlace }, { lost: [], outOfPlace: 0 });
    await untilPicture("nothing is left", () => takePicture(one), before, 10_000);
    for (const pod of pods) {
      assert.deepEqual((await pod.links()).map(({ ifname }) => ifname), ["lo"]);
    }
  },
);

/** As a runtime does: what fails is tried again a little later. */
async function tries(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return false;
  }
}

/** Own ones for each node: a spoke has the same address everywhere. */
function spokesOf({ name }: AgentNode): [string, string] {
  return [`${name}-a`, `${name}-b`];
}

/** Gives the numbers from 1 to whoever is free, until one of them wants no more. */
async function share(
  stages: readonly Stage[],
  task: (stage: Stage, at: number) => Promise<boolean>,
): Promise<void> {
  let next = 1;
  let goOn = true;
  const ends = await Promise.allSettled(stages.map(async (stage) => {
    try {
      while (goOn) if (!await task(stage, next++)) goOn = false;
    } finally {
      goOn = false;
    }
  }));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** A node that can be brought to the start of a sweep again and again. */
class Stage {
  readonly #node: AgentNode;
  readonly #sweep: Sweep;
  readonly #workload: Workload;
  readonly #neighbour: Workload;
  #without!: NodePicture;
  #with!: NodePicture;

  private constructor(node: AgentNode, sweep: Sweep, workload: Workload, neighbour: Workload) {
    this.#node = node;
    this.#sweep = sweep;
    this.#workload = workload;
    this.#neighbour = neighbour;
  }

  static async prepare(lab: AgentLab, node: AgentNode, sweep: Sweep): Promise<Stage> {
    const stage = new Stage(
      node,
      sweep,
      await lab.addWorkload(`${node.name}-a`),
      await lab.addWorkload(`${node.name}-b`),
    );
    // Its address would be tentative for a while.
    await stage.#workload.run(NO_IPV6);
    if (sweep.inUse) await node.attach(stage.#neighbour, { lan: LAN, spoke: spokesOf(node)[1] });
    stage.#without = await settled(() => stage.#look());
    await stage.#attach();
    await stage.#detach();
    await stage.#until("nothing is left of the first time", stage.#without);
    await stage.#attach();
    stage.#with = await settled(() => stage.#look());
    if (sweep.during === "attach") await stage.#detach();
    return stage;
  }

  /** One point of the sweep. Says whether the agent died. */
  async killAt(point: string): Promise<boolean> {
    const { during } = this.#sweep;
    const node = this.#node;
    const { agent } = node;
    let died = false;
    agent.ended.then(() => died = true);
    await Deno.writeTextFile(`${node.runDir}/fault`, `${point} ${crypto.randomUUID()}`);
    const failure = await this.#act().then(() => undefined, (error) => error);
    if (failure !== undefined) {
      await until("the agent is dead", () => died).catch(() => {
        throw failure;
      });
    }
    await Deno.remove(`${node.runDir}/fault`);
    // It may have died with the answer given.
    const lives = await node.ask({ op: "ready" }).then(() => true, () => false);
    if (!lives) await this.#recover(point);
    if (during === "attach") await this.#detach();
    if (during === "detach") await this.#attach();
    const start = during === "attach" ? this.#without : this.#with;
    await this.#until(`${point}: as in the beginning`, start);
    return !lives;
  }

  async #act(): Promise<void> {
    const { during } = this.#sweep;
    if (during === "attach") return await this.#attach();
    if (during === "detach") return await this.#detach();
    await this.#node.host.run([
      ...["nsenter", `--net=${this.#node.netnsDir}/knlvrf`, "sh", "-euc"],
      `ip link del vx2; ip link del ${spokesOf(this.#node)[0]}.b`,
    ]);
    const { agent } = this.#node;
    const dead = agent.ended.then(() => {
      throw new Error("The agent is dead");
    });
    await Promise.race([dead, this.#until("mended", this.#with)]);
  }

  async #recover(point: string): Promise<void> {
    await this.#node.restart("SIGKILL");
    const { during } = this.#sweep;
    const whole = during === "mend" ? [this.#with] : [this.#without, this.#with];
    await this.#until(`${point}: nothing half-made after the restart`, whole);
    if (during === "mend") return;
    // The runtime saw the call fail.
    await this.#detach();
    await this.#until(`${point}: nothing left after DEL`, this.#without);
    if (during === "detach") return;
    await this.#attach();
    await this.#until(`${point}: everything there after ADD`, this.#with);
  }

  async #attach(): Promise<void> {
    const { attach } = this.#sweep;
    const [spoke] = spokesOf(this.#node);
    await this.#node.attach(this.#workload, { lan: LAN, spoke, attach });
  }

  #detach(): Promise<void> {
    return this.#node.detach(this.#workload);
  }

  async #look(): Promise<NodePicture> {
    const picture = await takePicture(this.#node, [this.#workload, this.#neighbour]);
    const { "/run/fault": _, ...files } = picture.files;
    return { ...picture, files };
  }

  async #until(what: string, expected: NodePicture | readonly NodePicture[]): Promise<void> {
    try {
      await untilPicture(what, () => this.#look(), expected);
    } catch (cause) {
      throw new Error(`The agent of "${this.#node.name}" wrote:\n${this.#node.agent.output}`, {
        cause,
      });
    }
  }
}
