import assert from "node:assert/strict";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import type { ForeignVxlan } from "../plan/foreign_vxlan.ts";
import { ForeignVxlans } from "./foreign_vxlans.ts";

const CILIUM: ForeignVxlan = {
  ...{ name: "cilium_vxlan", vni: 0, port: 4789, up: true, ipv6: true, alone: true },
};

/** What the kernel tells of can be changed; counts how often that was passed on. */
class Setting {
  found: readonly ForeignVxlan[] | Error = [];
  changes = 0;
  readonly log = new LogRecorder();
  readonly vxlans = new ForeignVxlans({
    node: "worker1",
    kernel: { foreignVxlans: () => this.#read() },
    changed: () => this.changes++,
    log: this.log,
  });

  #read(): ForeignVxlan[] {
    if (this.found instanceof Error) throw this.found;
    return [...this.found];
  }

  reasons(lan = seedLan()): string {
    return this.vxlans.conditions(lan).map(({ reason }) => reason).join();
  }
}

Deno.test("ForeignVxlans passes on what has changed, and nothing else", () => {
  const setting = new Setting();
  setting.vxlans.lookAgain();
  assert.deepEqual([setting.changes, setting.reasons()], [0, ""]);
  setting.found = [CILIUM];
  setting.vxlans.lookAgain();
  setting.vxlans.lookAgain();
  assert.deepEqual([setting.changes, setting.reasons()], [1, "VxlanPortTaken"]);
  setting.found = [{ ...CILIUM, up: false }];
  setting.vxlans.lookAgain();
  assert.equal(setting.changes, 2);
});

Deno.test("ForeignVxlans goes by what it knew while the kernel cannot be read", () => {
  const setting = new Setting();
  setting.found = [CILIUM];
  setting.vxlans.lookAgain();
  setting.found = new Error("no buffers");
  setting.vxlans.lookAgain();
  assert.deepEqual([setting.changes, setting.reasons()], [1, "VxlanPortTaken"]);
  assert.equal(setting.log.records.filter(({ level }) => level === "warn").length, 1);
});

Deno.test("ForeignVxlans says nothing of a LAN that is not for this node", () => {
  const setting = new Setting();
  setting.found = [CILIUM];
  setting.vxlans.lookAgain();
  const { defaultVxlanDev: _, ...spec } = seedLan().spec;
  assert.equal(setting.reasons({ ...seedLan(), spec: { ...spec, vxlanDevMap: {} } }), "");
});
