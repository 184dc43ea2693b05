import { deepEqual, equal } from "node:assert/strict";
import { ControllerStage } from "../../tests/support/controller_stage.ts";
import { until } from "../../tests/support/until.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import type { LanObject } from "../kube/resources.ts";
import { LAUNCHER_PODS } from "./launcher_pods.ts";

interface Setting {
  readonly stage: ControllerStage;
  readonly lan: LanObject;
}

/** A LAN of which a VM on node n1 holds spoke a1. */
async function vmAttached(stage: ControllerStage): Promise<Setting> {
  const lan = await stage.create("a");
  for (const node of ["n1", "n2", "n3"]) await stage.addNode(node);
  const old = { name: "old", uid: await stage.addLauncher("old", { node: "n1" }) };
  await stage.hold(lan, "a1", { n1: old });
  await stage.says("a", "InUse", "True/Attached");
  return { stage, lan };
}

async function addTarget({ stage }: Setting, change: object = {}) {
  const options = { migration: "job-1", phase: "Pending", ...change };
  return { name: "new", uid: await stage.addLauncher("new", options) };
}

Deno.test("Controller tells of a VM's migration from its pod's being made to its source's end", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const setting = await vmAttached(stage);
  const { lan } = setting;
  deepEqual(await stage.migrations("a"), []);
  const next = await addTarget(setting);
  await stage.migrates("a", "a1: n1 old > ? new");
  const body = { spec: { nodeName: "n2" }, status: { phase: "Running" } };
  const key = { namespace: "default", name: "new" };
  await stage.api.patch(LAUNCHER_PODS, key, { type: "merge", body });
  await stage.migrates("a", "a1: n1 old > n2 new");
  await stage.hold(lan, "a1", { n2: next });
  await until("both count", async () => (await stage.get("a")).status?.attached === 2);
  equal((await stage.get("a")).status?.nodes, 2);
  equal(await stage.condition("a", "Ready"), "True/Ready");
  deepEqual(await stage.migrations("a"), ["a1: n1 old > n2 new"]);
  await stage.setPhase("old", "Succeeded");
  await stage.migrates("a");
  await stage.hold(lan, "a1", { n1: undefined });
  await until("one counts", async () => (await stage.get("a")).status?.attached === 1);
  equal(await stage.message("a", "InUse"), 'pod "default/new" (spoke "a1") on node "n2"');
  deepEqual(await stage.migrations("a"), []);
});

Deno.test("Controller tells of no migration any more that failed, and of the next one", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const setting = await vmAttached(stage);
  await addTarget(setting);
  await stage.migrates("a", "a1: n1 old > ? new");
  await stage.setPhase("new", "Failed");
  await stage.migrates("a");
  await stage.addLauncher("newer", { migration: "job-2", phase: "Pending" });
  await stage.migrates("a", "a1: n1 old > ? newer");
  await stage.api.delete(LAUNCHER_PODS, { namespace: "default", name: "newer" });
  await stage.migrates("a");
  equal((await stage.get("a")).status?.attached, 1);
});

Deno.test("Controller is not taken in by pods of other namespaces and other VMs", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const setting = await vmAttached(stage);
  await stage.addNamespace("evil");
  const forged = { migration: "job-1", phase: "Pending" };
  await stage.addLauncher("forged", { ...forged, namespace: "evil" });
  await stage.addLauncher("neighbour", { ...forged, vmi: "vmi-2" });
  await addTarget(setting);
  // The true one came last: the others have been looked at by then.
  await stage.migrates("a", "a1: n1 old > ? new");
});

Deno.test("Controller keeps what it told of migrations while pods can't be read, and starts all the same", async () => {
  await using stage = await ControllerStage.open();
  const first = stage.start("one");
  const setting = await vmAttached(stage);
  await addTarget(setting);
  await stage.migrates("a", "a1: n1 old > ? new");
  await first.stop();
  let isForbidden = true;
  stage.api.onCall = (verb, { plural }) => {
    if (isForbidden && plural === "pods") throw kubeErrorOf(verb, 403, "no role");
  };
  stage.start("two");
  await stage.create("b");
  await stage.says("b", "Ready", "True/Ready");
  deepEqual(await stage.migrations("a"), ["a1: n1 old > ? new"]);
  isForbidden = false;
  await stage.setPhase("new", "Failed");
  await stage.migrates("a");
});

Deno.test("Controller asks for pods of VMs and of agents, and without a VM no more than once", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const lan = await stage.create("a");
  await stage.addNode("n1");
  await stage.attach("n1", lan, "a1");
  await stage.says("a", "InUse", "True/Attached");
  deepEqual(stage.api.calls.filter((call) => / pods/.test(call)).sort(), [
    ...["list pods", "list pods", "watch pods", "watch pods"],
  ]);
});
