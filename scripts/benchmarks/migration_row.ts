/** Row "migration": how long a VM's address is nowhere while it moves to another node. */

import { LinuxKernel } from "../../src/kernel/linux.ts";
import type { AttachResult } from "../../src/api/agent_protocol.ts";
import { HandOver, type HandOverReport } from "../../tests/support/hand_over.ts";
import type { TestCluster } from "../../tests/support/cluster.ts";
import { MovingVm } from "../../tests/support/moving_vm.ts";
import type { Lab, LabNode } from "../../tests/support/netns_lab.ts";
import { installProduct } from "../../tests/support/product.ts";
import { FrameSocket } from "../../tests/support/raw_frames.ts";
import {
  addRequest,
  BenchAgent,
  type BenchAttachment,
  delRequest,
  numberedLan,
} from "./bench_agent.ts";
import type { Bench } from "./bench.ts";
import type { Finding } from "./finding.ts";
import type { Section } from "./section.ts";
import { median } from "./stats.ts";

const IFNAME = "net1";
/** Tables have to follow within a second. */
const BUDGET_MS = 1_000;

interface Sample {
  readonly roundTrip: number;
  readonly report: HandOverReport;
}

export async function migrationRow(bench: Bench): Promise<readonly Finding[]> {
  return [
    ...await bench.withLab({ nodes: 3 }, (lab) => measure(bench, lab)),
    ...await bench.withCluster((cluster) => measureInCluster(bench, cluster)),
  ];
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  await using stage = await Stage.open(lab);
  const turns = bench.quick ? 2 : 20;
  const announced: Sample[] = [];
  const silent: Sample[] = [];
  for (let turn = 0; turn < turns; turn++) {
    announced.push(await stage.move("announced"));
    silent.push(await stage.move("silent"));
  }
  return [
    finding("VM announced on its next node: no frame for", announced),
    finding("VM that is silent, tables alone: no frame for", silent),
  ];
}

/** All of it: agents, controller, kubelets. */
async function measureInCluster(
  bench: Bench,
  cluster: TestCluster,
): Promise<readonly Finding[]> {
  using product = await installProduct(cluster);
  await using vm = await MovingVm.start(product);
  const announced: Sample[] = [];
  const silent: Sample[] = [];
  for (let turn = 0; turn < (bench.quick ? 1 : 5); turn++) {
    for (const [how, samples] of [["announced", announced], ["silent", silent]] as const) {
      await vm.next();
      const { roundTrip, ...report } = await vm.handOver(how);
      samples.push({ roundTrip, report });
    }
  }
  return [
    finding("Cluster: VM announced on its next node: no frame for", announced),
    finding("Cluster: VM that is silent: no frame for", silent),
  ];
}

function finding(what: string, samples: readonly Sample[]): Finding {
  const gaps = samples.map(({ report }) => report.gapMs);
  const worst = Math.max(...gaps);
  return {
    ...{ what, unit: "ms", ours: median(gaps) },
    note: `at worst ${worst.toFixed(2)} ms, ${
      median(samples.map(({ report }) => report.lost))
    } lost`,
    other: { name: "plain round trip", value: median(samples.map(({ roundTrip }) => roundTrip)) },
    budget: { most: BUDGET_MS },
  };
}

/** One VM that goes to and fro between two nodes, and a workload on a third that sends to it. */
class Stage implements AsyncDisposable {
  readonly #nodes: readonly LabNode[];
  readonly #agents: readonly BenchAgent[];
  readonly #pods: readonly BenchAttachment[];
  readonly #wires: (FrameSocket | undefined)[] = [];
  #mac = "";
  #at = 0;

  private constructor(
    nodes: readonly LabNode[],
    agents: readonly BenchAgent[],
    pods: readonly BenchAttachment[],
  ) {
    this.#nodes = nodes;
    this.#agents = agents;
    this.#pods = pods;
  }

  static async open(lab: Lab): Promise<Stage> {
    const { nodes } = lab;
    const agents: BenchAgent[] = [];
    const pods: BenchAttachment[] = [];
    for (const [at, node] of nodes.entries()) {
      const { metadata, spec } = numberedLan(node, 1);
      const agent = new BenchAgent(node);
      await agent.putLans("lans.yaml", [{ metadata, spec }]);
      await agent.start();
      agents.push(agent);
      // The first two are the VM's, on one spoke.
      const spoke = spec.spokes[at < 2 ? 0 : 1] ?? "";
      const netns = await lab.addNetns(`pod${at}`);
      pods.push({ netns, ifname: IFNAME, lan: `${metadata.namespace}/${metadata.name}`, spoke });
    }
    const stage = new Stage(nodes, agents, pods);
    await stage.#attach(0);
    await stage.#attach(2);
    return stage;
  }

  async #attach(at: number): Promise<FrameSocket> {
    const { mac } = await this.#agents[at]!.ask(addRequest(this.#pods[at]!)) as AttachResult;
    if (at < 2) this.#mac = mac;
    return this.#wires[at] = new FrameSocket(this.#pods[at]!.netns, IFNAME);
  }

  async #detach(at: number): Promise<void> {
    await this.#agents[at]!.ask(delRequest(this.#pods[at]!));
  }

  async move(how: "announced" | "silent"): Promise<Sample> {
    const [from, to] = [this.#at, 1 - this.#at];
    const target = await this.#attach(to);
    const [source, sender] = [this.#wires[from], this.#wires[2]];
    if (source === undefined || sender === undefined) throw new Error("Nothing is attached");
    const stream = new HandOver({ sender, source, target, mac: this.#mac });
    const roundTrip = stream.roundTrip();
    let report: HandOverReport;
    if (how === "announced") {
      report = stream.announced();
      await this.#detach(from);
    } else {
      report = await stream.silent(async () => {
        await this.#detach(from);
        this.#forget([to, 2]);
      });
    }
    source[Symbol.dispose]();
    this.#wires[from] = undefined;
    this.#at = to;
    return { roundTrip, report };
  }

  /** As agents do on being told that the VM has left its node. */
  #forget(ats: readonly number[]): void {
    for (const at of ats) {
      const { dir } = this.#nodes[at]!;
      const { spec } = numberedLan(this.#nodes[at]!, 1);
      using kernel = new LinuxKernel(`${dir}/run/netns`);
      kernel.forgetNode(`${dir}/run/netns/${spec["ns"]}`, `${spec["vxlan"]}`, { mac: this.#mac });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire?.[Symbol.dispose]();
    return Promise.resolve();
  }
}

export const MIGRATION_SECTION: Section = {
  heading: "## Hand-over of a VM",
  about:
    `Written by \`scripts/bench migration\`: three nodes on one machine, each with an agent. A VM's
spoke is held on two of them; a workload on the third sends frame after frame to the VM's address. Then
the same on a cluster (\`docs/live-migration.md\`).`,
  notes: `How:

- **announced**: the next pod says once, as QEMU does when the guest starts to run in it, that the
  address is there (RARP). From the last frame that came at the former pod to the first at the next,
  frames being sent as fast as one thread can.
- **silent**: nobody says anything. The former pod is detached, and the other nodes forget what they
  learned of its node; a frame is sent about each millisecond. Tables alone: the bench tells the nodes
  itself, at once. All nodes are one kernel here, whose lock the removal of a link holds for some 15 ms;
  machines of their own do not wait for each other.
- **Cluster**: the installed product on two nodes, with pods in the parts of KubeVirt's. The news of the
  former pod's end takes its time: its agent waits 100 ms for more to report, the others wait 50 ms, and
  the API server is in between. The sender is on the node that the VM comes to.
- **plain round trip**: to the VM and back, without anybody moving, in the same run.
`,
};
