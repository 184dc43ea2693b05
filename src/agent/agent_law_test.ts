import assert from "node:assert/strict";
import { AgentParts, POD1, POD2, podArgs } from "../../tests/support/agent_parts.ts";
import { FakeNetns } from "../../tests/support/fake_machine.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { randomInts } from "../../tests/support/random.ts";
import type { Lan } from "../api/lan.ts";
import { checkAttachment } from "./check.ts";

/** Two LANs on one underlay. */
function lans(): Lan[] {
  const second = seedLan({ ns: "second", vni: 7, spokes: ["pod3", "pod4"] }, "second-uid");
  return [seedLan(), { ...second, metadata: { ...second.metadata, name: "second" } }];
}

const LAN_IDS = [SEED_UID, "second-uid"];
const PODS = [POD1, POD2, "/run/netns/pod3", "/run/netns/pod4"];
const TARGETS = [
  { spoke: "pod1" },
  { spoke: "pod1", attach: "veth" },
  { spoke: "pod2" },
  { spoke: undefined },
  { lan: "second", spoke: "pod3" },
  { lan: "second", spoke: "pod4", attach: "veth" },
  { lan: "second", spoke: undefined },
];

function machine(): AgentParts {
  const agent = new AgentParts(lans());
  for (const path of PODS.slice(2)) agent.kernel.machine.addNetns(path);
  return agent;
}

/** A day in the life of a node; `random` decides what happens. */
class Day {
  agent: AgentParts;
  readonly #random: (below: number) => number;

  constructor(agent: AgentParts, random: (below: number) => number) {
    this.agent = agent;
    this.#random = random;
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#random(values.length)]!;
  }

  async step(): Promise<void> {
    const { agent } = this;
    if (this.#random(3) === 0) agent.failOp(this.#random(12));
    if (this.#random(8) === 0) await this.#restart().catch(() => {});
    else {
      const atOnce = Array.from({ length: 1 + this.#random(4) }, () => this.#event());
      await Promise.allSettled(atOnce);
    }
    agent.healKernel();
  }

  async #restart(): Promise<void> {
    const { agent } = this;
    if (this.#random(3) === 0) Deno.removeSync(agent.recordsDir, { recursive: true });
    this.agent = await agent.restart(lans());
  }

  async #event(): Promise<unknown> {
    const { agent } = this;
    const pod = this.#random(PODS.length);
    const key = { containerId: `c${pod}`, ifname: this.#one(["net1", "net2"]) };
    switch (this.#random(7)) {
      case 0:
      case 1:
      case 2: {
        const args = podArgs("k8slan-system", `p${pod}`, `u${pod}`);
        return await agent.add({ ...key, netns: PODS[pod]!, args }, this.#one(TARGETS));
      }
      case 3:
        return await agent.service.del(key);
      case 4:
        return await agent.reconciler.reconcile(this.#one(LAN_IDS));
      case 5:
        agent.kernel.machine.removePath(PODS[pod]!);
        return agent.kernel.machine.addNetns(PODS[pod]!);
      case 6:
        return this.#loseLink();
    }
  }

  /** Somebody deletes a link, but never the underlay. */
  #loseLink(): void {
    const { machine } = this.agent.kernel;
    const found = [...machine.netnses()].flatMap((netns) => [...netns.links.values()])
      .filter(({ name }) => name !== "lo" && name !== "eth1");
    if (found.length > 0) machine.remove(this.#one(found));
  }

  async settle(): Promise<void> {
    for (const lanId of LAN_IDS) await this.agent.reconciler.reconcile(lanId);
  }
}

for (let seed = 1; seed <= 50; seed++) {
  Deno.test(`AgentParts stay in step with the kernel, whatever happens: ${seed}`, async () => {
    using first = machine();
    const untouched = first.snapshot();
    const day = new Day(first, randomInts(seed));
    for (let step = 0; step < 60; step++) await day.step();
    await day.settle();
    const { agent } = day;
    const done = agent.kernel.applied.length;
    await day.settle();
    assert.deepEqual(agent.kernel.applied.slice(done), []);
    for (const attachment of agent.attachments.all()) checkAttachment(agent, attachment);
    assert.deepEqual(ports(agent), [...agent.attachments.all()].map(({ port }) => port).toSorted());
    for (const attachment of [...agent.attachments.all()]) await agent.service.del(attachment);
    assert.deepEqual(agent.snapshot(), untouched);
    assert.equal((await agent.restart()).records.readAll().size, 0);
  });
}

/** The bridge ports of all LANs. */
function ports(agent: AgentParts): string[] {
  return agent.kernel.netnsPaths().flatMap((path) => {
    const netns = agent.kernel.machine.files.get(path);
    return netns instanceof FakeNetns ? [...netns.links.keys()] : [];
  }).filter((name) => name.endsWith(".b")).toSorted();
}
