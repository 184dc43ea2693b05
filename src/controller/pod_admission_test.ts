import assert from "node:assert/strict";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../kube/resources.ts";
import { PodAdmission } from "./pod_admission.ts";
import type { PodDecision } from "./pod_decision.ts";
import type { NetworkKey } from "./pod_networks.ts";

/** An API server with networks "home/<name>" of the resource `macvtap.k8slan.io/<name>`. */
async function serverWith(...names: readonly string[]): Promise<FakeKubeApi> {
  const api = new FakeKubeApi();
  for (const name of names) await api.create(NETWORK_ATTACHMENT_DEFINITIONS, networkOf(name));
  api.calls.length = 0;
  return api;
}

function networkOf(name: string) {
  const annotations = { "k8s.v1.cni.cncf.io/resourceName": `macvtap.k8slan.io/${name}` };
  return { metadata: { name, namespace: "home", annotations }, spec: { config: "{}" } };
}

function admissionOf(api: FakeKubeApi, known?: string): PodAdmission {
  const meta = { uid: "u", resourceVersion: "1", creationTimestamp: "" };
  return new PodAdmission({
    ...{ api, log: new LogRecorder() },
    known: ({ name }: NetworkKey) => {
      if (name !== known) return undefined;
      const network = networkOf(name);
      const kind = "NetworkAttachmentDefinition";
      return {
        ...network,
        ...{ apiVersion: "k8s.cni.cncf.io/v1", kind },
        metadata: { ...network.metadata, ...meta },
      };
    },
  });
}

function decide(admission: PodAdmission, networks: string): Promise<PodDecision> {
  return admission.decide({
    ...{ uid: "1", operation: "CREATE", resource: "pods.", namespace: "home" },
    object: {
      metadata: { annotations: { "k8s.v1.cni.cncf.io/networks": networks } },
      spec: { containers: [{ name: "main" }] },
    },
  });
}

function resourcesOf({ answer }: PodDecision): string[] {
  assert.ok(answer.allowed);
  const [step] = answer.patch ?? [];
  const limits: unknown = Reflect.get(Object(Reflect.get(Object(step), "value")), "limits");
  return Object.keys(Object(limits));
}

Deno.test("PodAdmission asks nobody for what the controller has made", async () => {
  const api = await serverWith();
  const decision = await decide(admissionOf(api, "own"), "own");
  assert.equal(decision.kind, "mutated");
  assert.deepEqual(resourcesOf(decision), ["macvtap.k8slan.io/own"]);
  assert.deepEqual(api.calls, []);
});

Deno.test("PodAdmission reads the networks that people write, and none besides", async () => {
  const api = await serverWith("mine", "other");
  const decision = await decide(admissionOf(api, "own"), "own,mine,elsewhere/mine");
  assert.deepEqual(resourcesOf(decision), ["macvtap.k8slan.io/own", "macvtap.k8slan.io/mine"]);
  assert.equal(decision.kind, "unread");
  assert.match(decision.answer.warnings.join(), /There is no network "elsewhere\/mine"/);
  const resource = "network-attachment-definitions.k8s.cni.cncf.io";
  assert.deepEqual(api.calls.toSorted(), [
    `get ${resource} elsewhere/mine`,
    `get ${resource} home/mine`,
  ]);
});

Deno.test("PodAdmission asks nothing about pods that name no network", async () => {
  const api = await serverWith("mine");
  assert.equal((await decide(admissionOf(api), "")).kind, "skipped");
  assert.equal((await decide(admissionOf(api), "[{")).kind, "malformed");
  assert.deepEqual(api.calls, []);
});

Deno.test("PodAdmission lets a pod pass when the API server says nothing", async () => {
  const api = await serverWith("mine");
  api.onCall = () => Promise.reject(new Error("away"));
  const { kind, answer } = await decide(admissionOf(api), "mine");
  assert.equal(kind, "unread");
  assert.ok(answer.allowed && answer.patch === undefined);
  assert.match(answer.warnings.join(), /"home\/mine" could not be read/);
});

Deno.test("PodAdmission asks once for pods that come at once", async () => {
  const api = await serverWith("mine");
  const admission = admissionOf(api);
  const decisions = await Promise.all(
    Array.from({ length: 100 }, () => decide(admission, "mine,mine")),
  );
  for (const decision of decisions) assert.equal(decision.kind, "mutated");
  assert.equal(api.calls.length, 1);
  await decide(admission, "mine");
  assert.equal(api.calls.length, 2); // what was true a moment ago need not be now
});

Deno.test("PodAdmission has so many questions under way and no more", async () => {
  const names = Array.from({ length: 32 }, (_, at) => `n${at}`);
  const api = await serverWith(...names, "mine");
  const admission = admissionOf(api);
  const gate = Promise.withResolvers<void>();
  api.onCall = () => gate.promise;
  const first = decide(admission, names.join());
  assert.equal((await decide(admission, "mine")).kind, "unread");
  const joined = decide(admission, "n0");
  gate.resolve();
  assert.equal(resourcesOf(await first).length, 32);
  assert.equal((await joined).kind, "mutated");
  assert.equal((await decide(admission, "mine")).kind, "mutated");
});
