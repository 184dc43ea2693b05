import assert from "node:assert/strict";
import type { DevicePluginState, ResourceState } from "../deviceplugin/device_plugin_manager.ts";
import { deviceProblems } from "./device_problems.ts";

const FOLDER = "/var/lib/kubelet/device-plugins";
const OFFERED: readonly (readonly [string, ResourceState])[] = [["r/a", { registered: true }]];

function problems(
  kubelet: DevicePluginState["kubelet"],
  resources: readonly (readonly [string, ResourceState])[] = OFFERED,
) {
  return deviceProblems({ kubelet, resources: new Map(resources) }, FOLDER);
}

Deno.test("deviceProblems() has none while kubelet knows all devices, or will soon", () => {
  assert.deepEqual(problems({ present: true }), []);
  assert.deepEqual(problems({ present: true }, [["r/a", { registered: false }]]), []);
});

Deno.test("deviceProblems() misses no kubelet where nothing is offered", () => {
  assert.deepEqual(problems({ present: false }, []), []);
});

const rows: readonly (readonly [string, ReturnType<typeof problems>, string, RegExp])[] = [
  ["that kubelet is away", problems({ present: false }), "KubeletAbsent", /in "\/var\/lib/],
  [
    "why kubelet takes nothing",
    problems({ present: true, problem: "it hung up" }),
    "KubeletUnreachable",
    /: it hung up$/,
  ],
  [
    "which resources it refuses",
    problems({ present: true }, [...OFFERED, ["r/b", { registered: false, problem: "bad name" }]]),
    "DevicesNotOffered",
    /on this node: "r\/b" \(bad name\)$/,
  ],
  [
    "how many more it refuses",
    problems(
      { present: true },
      Array.from({ length: 10 }, (_, n) => [`r/${n}`, { registered: false, problem: "no" }]),
    ),
    "DevicesNotOffered",
    /"r\/7" \(no\) and 2 more$/,
  ],
];

for (const [what, found, reason, message] of rows) {
  Deno.test(`deviceProblems() says ${what}`, () => {
    assert.deepEqual(found.map((problem) => problem.reason), [reason]);
    assert.match(found[0]!.message, message);
  });
}
