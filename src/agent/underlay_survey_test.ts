import assert from "node:assert/strict";
import { AgentParts } from "../../tests/support/agent_parts.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import type { Lan } from "../api/lan.ts";
import { HOST } from "../plan/ops.ts";
import type { Underlay } from "../plan/wanted.ts";
import { DriftWatch } from "./drift_watch.ts";
import { UnderlaySurvey } from "./underlay_survey.ts";

/** A survey of a node with the underlay "eth1", and how often it asked the kernel. */
class Setting implements Disposable {
  readonly parts: AgentParts;
  readonly survey: UnderlaySurvey;
  readonly drift: DriftWatch;
  readonly asked: string[] = [];
  changes = 0;
  failure: Error | undefined;

  constructor(lans: readonly Lan[] = [seedLan()]) {
    this.parts = new AgentParts(lans);
    const { kernel, registry, log } = this.parts;
    this.drift = new DriftWatch((id) => this.survey.suspect(id), log);
    const ask = (name: string): Underlay | undefined => {
      this.asked.push(name);
      if (this.failure !== undefined) throw this.failure;
      return kernel.underlay(name);
    };
    this.survey = new UnderlaySurvey({
      ...{ registry, drift: this.drift, log },
      node: { name: this.parts.node, netnsDir: kernel.netnsDir },
      kernel: { underlay: ask, filterProblem: () => kernel.filterProblem() },
      changed: () => this.changes++,
    });
    this.survey.lansChanged();
    this.changes = 0;
  }

  reasons(lan: Lan): string[] | undefined {
    return this.survey.prospect(lan)?.conditions.map(({ reason }) => reason);
  }

  [Symbol.dispose](): void {
    this.parts[Symbol.dispose]();
  }
}

/** Accepted beside the others of that kind. */
function lanOf(number: number, device: string): Lan {
  const names = { ns: `n${number}`, bridge: "br", vxlan: "vx", spokes: [`s${number}`] };
  return seedLan(
    { ...names, vni: 1000 + number, defaultVxlanDev: device, vxlanDevMap: {} },
    `0d5b2a1c-7f0e-4c58-9f6a-${String(number).padStart(12, "0")}`,
  );
}

Deno.test("UnderlaySurvey.prospect() says what an idle LAN would get here", () => {
  using setting = new Setting();
  assert.deepEqual(setting.survey.prospect(seedLan()), {
    ...{ underlay: "eth1", mtu: 1426, vtep: "fe80::1", conditions: [] },
  });
});

Deno.test("UnderlaySurvey.prospect() says that the kernel cannot filter, to LANs that ask for it", () => {
  const plain = lanOf(1, "eth1");
  const asking = { ...lanOf(2, "eth1"), spec: { ...lanOf(2, "eth1").spec, pinMac: true } };
  using setting = new Setting([plain, asking]);
  setting.parts.kernel.noFilters = "no such thing";
  setting.survey.lookAgain();
  assert.deepEqual([plain, asking].map((lan) => setting.reasons(lan)), [[], ["FilterUnavailable"]]);
  delete setting.parts.kernel.noFilters;
  setting.survey.lookAgain();
  assert.deepEqual([plain, asking].map((lan) => setting.reasons(lan)), [[], []]);
  assert.equal(setting.changes, 2);
});

Deno.test("UnderlaySurvey.prospect() is undefined where a LAN names no underlay", () => {
  using setting = new Setting();
  const { defaultVxlanDev: _, ...spec } = seedLan().spec;
  const lan = { ...seedLan(), spec: { ...spec, vxlanDevMap: { worker2: "eth1" } } };
  assert.equal(setting.survey.prospect(lan), undefined);
});

Deno.test("UnderlaySurvey asks once for all LANs of a device", () => {
  const lans = Array.from({ length: 300 }, (_, i) => lanOf(i, i % 2 === 0 ? "eth1" : "eth9"));
  using setting = new Setting(lans);
  const found = lans.map((lan) => setting.reasons(lan));
  assert.deepEqual(found.slice(0, 2), [[], ["UnderlayMissing"]]);
  setting.survey.lansChanged();
  assert.deepEqual(setting.asked, ["eth1", "eth9"]);
});

Deno.test("UnderlaySurvey.suspect() tells of a device that changed, and of no other event", () => {
  using setting = new Setting();
  assert.equal(setting.survey.suspect("underlay eth1"), true);
  assert.equal(setting.changes, 0);
  setting.parts.kernel.link(HOST, "eth1").up = false;
  assert.equal(setting.survey.suspect("underlay eth1"), true);
  assert.equal(setting.changes, 1);
  assert.deepEqual(setting.reasons(seedLan()), ["UnderlayDown"]);
});

Deno.test("UnderlaySurvey.suspect() leaves LANs to others", () => {
  using setting = new Setting();
  assert.equal(setting.survey.suspect(seedLan().metadata.uid), false);
});

Deno.test("UnderlaySurvey.lookAgain() finds a device that came without a word", () => {
  using setting = new Setting([lanOf(1, "eth9")]);
  assert.deepEqual(setting.reasons(lanOf(1, "eth9")), ["UnderlayMissing"]);
  setting.parts.kernel.addUnderlay("eth9");
  setting.survey.lookAgain();
  assert.equal(setting.changes, 1);
  assert.deepEqual(setting.reasons(lanOf(1, "eth9")), []);
});

Deno.test("UnderlaySurvey.lansChanged() forgets devices that nobody names any more", () => {
  using setting = new Setting();
  setting.parts.registry.replace([]);
  setting.survey.lansChanged();
  setting.asked.length = 0;
  setting.survey.lookAgain();
  setting.survey.suspect("underlay eth1");
  assert.deepEqual(setting.asked, []);
});

Deno.test("UnderlaySurvey says of a device that cannot be read why", () => {
  using setting = new Setting();
  setting.failure = new Error("no buffer space");
  setting.survey.lookAgain();
  assert.deepEqual(setting.survey.prospect(seedLan())?.conditions, [{
    reason: "UnderlayUnreadable",
    message: 'Cannot read underlay device "eth1": no buffer space',
  }]);
});

Deno.test("UnderlaySurvey looks at all devices when the kernel dropped events", async () => {
  using setting = new Setting([lanOf(1, "eth1"), lanOf(2, "eth9")]);
  setting.parts.kernel.addUnderlay("eth9");
  setting.parts.kernel.link(HOST, "eth1").up = false;
  async function* batches() {
    yield await Promise.resolve({ events: [], overrun: true });
  }
  await setting.drift.run(batches());
  assert.deepEqual(setting.reasons(lanOf(1, "eth1")), ["UnderlayDown"]);
  assert.deepEqual(setting.reasons(lanOf(2, "eth9")), []);
});
