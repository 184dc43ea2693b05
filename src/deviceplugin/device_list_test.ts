import assert from "node:assert/strict";
import { deviceList, type PluginDevice, sameDevices } from "./device_list.ts";

Deno.test("deviceList() says what kubelet calls healthy and unhealthy, sorted by ID", () => {
  assert.deepEqual(
    deviceList([{ id: "pod2", healthy: false }, { id: "pod1", healthy: true }]),
    [{ ID: "pod1", health: "Healthy" }, { ID: "pod2", health: "Unhealthy" }],
  );
});

Deno.test("deviceList() of no devices is empty", () => {
  assert.deepEqual(deviceList([]), []);
});

const POD1: PluginDevice = { id: "pod1", healthy: true };
const POD2: PluginDevice = { id: "pod2", healthy: true };

const PAIRS: Readonly<Record<string, [PluginDevice[], PluginDevice[], boolean]>> = {
  "nothing and nothing": [[], [], true],
  "the same device": [[POD1], [{ ...POD1 }], true],
  "the same devices in another order": [[POD1, POD2], [POD2, POD1], true],
  "a device that became unhealthy": [[POD1], [{ ...POD1, healthy: false }], false],
  "another device": [[POD1], [POD2], false],
  "one device more": [[POD1], [POD1, POD2], false],
  "one device less": [[POD1, POD2], [POD2], false],
};

for (const [name, [a, b, same]] of Object.entries(PAIRS)) {
  Deno.test(`sameDevices() is ${same} for ${name}`, () => {
    assert.equal(sameDevices(deviceList(a), deviceList(b)), same);
  });
}
