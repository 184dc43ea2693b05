import { deepEqual, equal, throws } from "node:assert/strict";
import {
  launcherObject,
  type LauncherOptions,
  launcherPod,
} from "../../tests/support/launcher_pods.ts";
import { LAUNCHER_PODS } from "./launcher_pods.ts";

Deno.test("LAUNCHER_PODS keeps of a pod what a migration is told by, and nothing else", () => {
  const pod = launcherPod("vm-b", { migration: "job-1", node: "n2", spokes: ["b", "a"] });
  deepEqual(pod, {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: {
      ...{ name: "vm-b", namespace: "default", uid: "uid-of-vm-b", resourceVersion: "1" },
      creationTimestamp: "2026-01-31T12:00:00Z",
    },
    ...{ vmi: "vmi-1", migration: "job-1", node: "n2", isFinished: false, spokes: ["a", "b"] },
  });
});

const STRANGERS: readonly (readonly [string, LauncherOptions])[] = [
  ["another UID", { owner: { uid: "vmi-2" } }],
  ["another kind", { owner: { kind: "VirtualMachine" } }],
  ["another group", { owner: { apiVersion: "kubevirt.io.example.com/v1" } }],
  ["an owner that does not control it", { owner: { controller: false } }],
  ["no label", { labels: { "kubevirt.io/created-by": undefined } }],
];
for (const [what, options] of STRANGERS) {
  Deno.test(`LAUNCHER_PODS takes no pod for a VM's where its owner has ${what}`, () => {
    equal(launcherPod("vm-a", options).vmi, undefined);
  });
}

for (const phase of ["Pending", "Running", "Unknown", "Succeeded", "Failed"]) {
  Deno.test(`LAUNCHER_PODS tells whether a pod that is ${phase} has ended`, () => {
    equal(launcherPod("vm-a", { phase }).isFinished, ["Succeeded", "Failed"].includes(phase));
  });
}

Deno.test("LAUNCHER_PODS takes in pods that lack everything but their metadata", () => {
  const { metadata } = launcherObject("vm-a");
  const { labels: _1, ownerReferences: _2, ...bare } = metadata;
  for (
    const rest of [{}, { spec: null, status: [] }, { spec: { nodeName: 7, containers: [null] } }]
  ) {
    const { vmi, migration, node, isFinished, spokes } = LAUNCHER_PODS.decode({
      ...{ metadata: bare },
      ...rest,
    });
    deepEqual([vmi, migration, node, isFinished, spokes], [
      ...[undefined, undefined, undefined],
      ...[false, []],
    ]);
  }
  throws(() => LAUNCHER_PODS.decode({}), { code: "ApiServerGarbled" });
});
