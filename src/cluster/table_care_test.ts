import assert from "node:assert/strict";
import { AgentParts } from "../../tests/support/agent_parts.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { derivedMac } from "../plan/identity.ts";
import { markId } from "../plan/mark.ts";
import type { SpokePlace } from "./spoke_moves.ts";
import { TableCare } from "./table_care.ts";

const MAC = "02:00:00:00:00:01";
const LAN_ID = markId(seedLan().metadata.uid);

/** An agent with the LAN of the README, and what the other nodes hold. */
class Setting implements Disposable {
  readonly parts = new AgentParts([seedLan()]);
  others: readonly SpokePlace[] | undefined = [];
  readonly care: TableCare;

  constructor(before: readonly SpokePlace[] = []) {
    const { node, kernel, registry, attachments, log } = this.parts;
    this.care = new TableCare({
      ...{ node, kernel, registry, attachments, log },
      others: () => this.others,
    }, before);
  }

  held(...places: readonly SpokePlace[]): void {
    this.others = places;
    this.care.look();
  }

  attach(spoke: string) {
    return this.parts.add({}, { lan: "k8slan-system/lan-test", spoke });
  }

  get forgotten() {
    return this.parts.kernel.forgotten.map(({ vxlan, left }) => [vxlan, left]);
  }

  [Symbol.dispose](): void {
    this.parts[Symbol.dispose]();
  }
}

function place(spoke: string, node: string, mac?: string): SpokePlace {
  return { lanId: LAN_ID, spoke, node, ...(mac === undefined ? {} : { mac }) };
}

Deno.test("TableCare forgets the node that a spoke has left for another", async () => {
  using setting = new Setting();
  await setting.attach("pod2");
  setting.held(place("pod1", "n1", MAC));
  setting.held(place("pod1", "n1", MAC), place("pod1", "n2", MAC));
  assert.deepEqual(setting.forgotten, []);
  setting.held(place("pod1", "n2", MAC));
  assert.deepEqual(setting.forgotten, [["vx2", { mac: MAC }]]);
  setting.held(place("pod1", "n2", MAC));
  assert.equal(setting.forgotten.length, 1);
});

Deno.test("TableCare forgets the node where a workload was, though its address is elsewhere by now", async () => {
  using setting = new Setting();
  await setting.attach("pod2");
  const { learned } = setting.parts.kernel;
  learned.set(MAC, "fe80::1");
  setting.held(place("pod1", "n1", MAC));
  setting.held(place("pod1", "n1", MAC), place("pod1", "n2", MAC));
  // It has been announced on its next node.
  learned.set(MAC, "fe80::2");
  setting.held(place("pod1", "n2", MAC));
  assert.deepEqual(setting.forgotten, [["vx2", { mac: MAC, vtep: "fe80::1" }]]);
});

Deno.test("TableCare forgets the node that a spoke has left for this one", async () => {
  using setting = new Setting();
  setting.held(place("pod1", "n1", MAC));
  await setting.attach("pod1");
  setting.care.attachmentsChanged();
  assert.deepEqual(setting.forgotten, []);
  setting.held();
  assert.deepEqual(setting.forgotten, [["vx2", { mac: MAC }]]);
});

Deno.test("TableCare forgets a node when this one has what that one let go before", async () => {
  using setting = new Setting([place("pod1", "n1")]);
  setting.held();
  assert.deepEqual(setting.forgotten, []);
  await setting.attach("pod1");
  setting.care.attachmentsChanged();
  // Nobody said which address it had: that which follows from the spoke.
  assert.deepEqual(setting.forgotten, [["vx2", { mac: derivedMac(LAN_ID, "pod1") }]]);
});

Deno.test("TableCare has nothing to forget where the LAN is not", () => {
  using setting = new Setting();
  setting.held(place("pod1", "n1", MAC));
  setting.held(place("pod1", "n2", MAC));
  assert.deepEqual(setting.forgotten, []);
  assert.deepEqual(setting.parts.log.messages("warn"), []);
});

Deno.test("TableCare waits until all nodes have been heard", async () => {
  using setting = new Setting([place("pod1", "n1", MAC)]);
  setting.others = undefined;
  await setting.attach("pod1");
  setting.care.attachmentsChanged();
  assert.deepEqual(setting.forgotten, []);
  setting.held(place("pod1", "n1", MAC));
  assert.deepEqual(setting.forgotten, []);
});

Deno.test("TableCare says what it cannot forget, and goes on", async () => {
  using setting = new Setting();
  await setting.attach("pod2");
  setting.parts.kernel.forgetNode = () => {
    throw new Error("no more memory");
  };
  for (const node of ["n1", "n2", "n3"]) setting.held(place("pod1", node));
  const [one, other, ...rest] = setting.parts.log.messages("warn");
  assert.match(one ?? "", /Cannot forget/);
  assert.equal(other, one);
  assert.deepEqual(rest, []);
});
