import assert from "node:assert/strict";
import { jsonPatch } from "../../tests/support/kube_patches.ts";
import { keyText } from "../kube/objects.ts";
import { decidePod, type FoundNetwork, networksToRead, type PodDecision } from "./pod_decision.ts";
import type { AdmissionAsk } from "./webhook_review.ts";

const ANNOTATION = "k8s.v1.cni.cncf.io/networks";

/** What is there: by name, the resource of a network. */
const THERE: Readonly<Record<string, string | undefined>> = {
  "home/pod1": "macvtap.k8slan.io/pod1",
  "home/pod2": "macvtap.k8slan.io/pod2",
  "home/mine": "macvtap.k8slan.io/pod1",
  "home/pod1-veth": undefined,
  "home/lan-any": undefined,
  "other/far": "macvtap.k8slan.io/far",
  "home/sriov": "intel.com/sriov",
  "home/nearly": "macvtap.k8slan.io.example/pod1",
  "home/odd": "macvtap.k8slan.io/a/b",
  "home/empty": "macvtap.k8slan.io/",
};

interface PodParts {
  readonly networks?: unknown;
  readonly annotations?: object;
  readonly containers?: unknown;
  readonly initContainers?: unknown;
}

const MAIN = { name: "main", image: "x", resources: {} };

function pod({ networks, annotations, containers = [MAIN], initContainers }: PodParts) {
  return {
    metadata: { generateName: "web-", annotations: { ...annotations, [ANNOTATION]: networks } },
    spec: { ...(initContainers === undefined ? {} : { initContainers }), containers },
  };
}

function askOf(object: unknown, change: Partial<AdmissionAsk> = {}): AdmissionAsk {
  return {
    ...{ uid: "1", operation: "CREATE", resource: "pods.", namespace: "home", object },
    ...change,
  };
}

function decide(ask: AdmissionAsk, unread: readonly string[] = []): PodDecision {
  const networks = networksToRead(ask);
  if ("kind" in networks) return networks;
  const found = networks.map((key): FoundNetwork => {
    const name = keyText(key);
    if (unread.includes(name)) return { state: "unread" };
    return Object.hasOwn(THERE, name)
      ? { state: "found", resource: THERE[name] }
      : { state: "absent" };
  });
  return decidePod(ask, networks, found);
}

/** The pod after what was decided, and the warnings. */
function outcome(object: object, unread: readonly string[] = []) {
  const { kind, answer } = decide(askOf(object), unread);
  assert.ok(answer.allowed);
  const { patch = [], warnings } = answer;
  const after = jsonPatch(JSON.parse(JSON.stringify(object)), patch);
  return { kind, after, warnings, patch };
}

function requestsOf(after: unknown, at = 0): unknown {
  const containers: unknown = Reflect.get(Reflect.get(Object(after), "spec"), "containers");
  assert.ok(Array.isArray(containers));
  return containers[at].resources;
}

const ONE = { "macvtap.k8slan.io/pod1": "1" };

Deno.test("decidePod() adds limit and request, whatever form the annotation has", () => {
  const cases: readonly (readonly [unknown, ...string[]])[] = [
    ["pod1", "pod1"],
    ["home/pod1@lan0", "pod1"],
    ["mine", "pod1"],
    ["pod1-veth,pod2, other/far@x,lan-any", "pod2", "far"],
    ['[{"name":"pod1","mac":"02:00:00:00:00:01"},{"name":"sriov"}]', "pod1"],
    ['[{"name":"far","namespace":"other"}]', "far"],
  ];
  for (const [networks, ...spokes] of cases) {
    const { kind, after, warnings } = outcome(pod({ networks }));
    assert.equal(kind, "mutated");
    const amounts = Object.fromEntries(spokes.map((spoke) => [`macvtap.k8slan.io/${spoke}`, "1"]));
    assert.deepEqual(requestsOf(after), { limits: amounts, requests: amounts }, String(networks));
    assert.deepEqual(warnings, []);
  }
});

Deno.test("decidePod() leaves alone what the container has besides", () => {
  const cases: readonly unknown[] = [
    undefined,
    null,
    {},
    { limits: null, claims: [{ name: "gpu" }] },
    { limits: { cpu: "1" } },
    { limits: { cpu: "1" }, requests: { cpu: "500m", "a~b/c": "1" } },
  ];
  for (const resources of cases) {
    const object = pod({ networks: "pod1", containers: [{ ...MAIN, resources }, MAIN] });
    const { after } = outcome(object);
    const { limits, requests, ...rest } = Object(resources ?? {});
    assert.deepEqual(requestsOf(after), {
      ...rest,
      limits: { ...limits, ...ONE },
      requests: { ...requests, ...ONE },
    });
    assert.deepEqual(requestsOf(after, 1), {});
  }
});

Deno.test("decidePod() asks for nothing that is asked for already", () => {
  const asks = (...fields: readonly string[]) => ({
    ...{ name: "vm", image: "x" },
    resources: Object.fromEntries(fields.map((field) => [field, ONE])),
  });
  const cases: readonly PodParts[] = [
    { containers: [asks("limits", "requests")] },
    { containers: [MAIN, asks("limits")] },
    { containers: [asks("requests")] },
    { containers: [{ name: "no", resources: { limits: { "macvtap.k8slan.io/pod1": "0" } } }] },
    { initContainers: [{ ...asks("limits"), restartPolicy: "Always" }] },
  ];
  for (const parts of cases) {
    const { kind, patch, warnings } = outcome(pod({ networks: "pod1", ...parts }));
    assert.deepEqual([kind, patch, warnings], ["unchanged", [], []], JSON.stringify(parts));
  }
  const half = outcome(pod({ networks: "pod1,pod2", containers: [MAIN, asks("limits")] }));
  assert.deepEqual(requestsOf(half.after), {
    limits: { "macvtap.k8slan.io/pod2": "1" },
    requests: { "macvtap.k8slan.io/pod2": "1" },
  });
});

Deno.test("decidePod() gives the same answer to its own outcome: nothing more", () => {
  const { after } = outcome(pod({ networks: "pod1,pod2,other/far" }));
  assert.ok(typeof after === "object" && after !== null);
  assert.deepEqual(outcome(after).patch, []);
});

Deno.test("decidePod() does not touch init containers, whose devices end with them", () => {
  const init = { ...MAIN, name: "init", resources: { limits: ONE } };
  const object = pod({ networks: "pod1", initContainers: [init] });
  const { kind, after } = outcome(object);
  assert.equal(kind, "mutated");
  assert.deepEqual(requestsOf(after), { limits: ONE, requests: ONE });
  const spec: unknown = Reflect.get(Object(after), "spec");
  assert.deepEqual(Reflect.get(Object(spec), "initContainers"), [init]);
});

Deno.test("decidePod() prefers the container that is kubectl's default", () => {
  const containers = [{ ...MAIN, name: "proxy" }, MAIN];
  for (const [name, at] of [["main", 1], ["proxy", 0], ["nobody", 0], [7, 0]] as const) {
    const annotations = { "kubectl.kubernetes.io/default-container": name };
    const { after } = outcome(pod({ networks: "pod1", annotations, containers }));
    assert.deepEqual(requestsOf(after, at), { limits: ONE, requests: ONE });
    assert.deepEqual(requestsOf(after, 1 - at), {});
  }
});

Deno.test("decidePod() leaves pods alone that need no device of ours", () => {
  for (const networks of ["pod1-veth", "lan-any", "sriov,nearly", "odd", "empty", "[]"]) {
    const { kind, patch, warnings } = outcome(pod({ networks }));
    assert.deepEqual([kind, patch, warnings], ["unchanged", [], []], networks);
  }
});

Deno.test("networksToRead() skips what is none of its business", () => {
  const object = pod({ networks: "pod1" });
  const cases: readonly AdmissionAsk[] = [
    askOf(object, { operation: "UPDATE" }),
    askOf(object, { operation: "DELETE" }),
    askOf(object, { resource: "pods./ephemeralcontainers" }),
    askOf(object, { resource: "pods.example.com" }),
    askOf(object, { resource: "deployments.apps" }),
    { uid: "1", operation: "CREATE", resource: "pods.", object },
    askOf(undefined),
    askOf(null),
    askOf("pod"),
    askOf({ metadata: null }),
    askOf({ metadata: { annotations: ["x"] } }),
    askOf(pod({ networks: "" })),
    askOf(pod({ networks: 7 })),
    askOf(pod({ networks: undefined })),
  ];
  for (const ask of cases) {
    const decision = decide(ask);
    assert.equal(decision.kind, "skipped", JSON.stringify(ask));
    assert.deepEqual(decision.answer, { allowed: true, warnings: [] });
  }
});

Deno.test("networksToRead() lets pods pass whose annotation can't be read, with a warning", () => {
  for (const networks of ["[{", "a/b/c", "[null]", "x".repeat(1 << 20), "[".repeat(99_999)]) {
    const { kind, answer } = decide(askOf(pod({ networks })));
    assert.equal(kind, "malformed");
    assert.ok(answer.allowed && answer.patch === undefined);
    assert.equal(answer.warnings.length, 1);
    const [warning = ""] = answer.warnings;
    assert.match(
      warning,
      /^Annotation "k8s\.v1\.cni\.cncf\.io\/networks" .*; the pod is left as it/,
    );
    assert.ok(warning.length <= 256, warning);
  }
});

Deno.test("decidePod() takes pods of any shape", () => {
  const shapes: readonly unknown[] = [undefined, null, 7, {}, [], "x"];
  for (const containers of shapes) {
    const { kind, answer } = decide(askOf({ ...pod({ networks: "pod1" }), spec: { containers } }));
    assert.ok(answer.allowed);
    assert.deepEqual([kind, answer.patch], ["malformed", undefined]);
  }
  for (const spec of shapes) {
    assert.ok(decide(askOf({ ...pod({ networks: "pod1" }), spec })).answer.allowed);
  }
  for (const odd of shapes.filter((shape) => shape !== undefined)) {
    const object = pod({ networks: "pod1", containers: [{ name: "a", resources: odd }, odd] });
    assert.deepEqual(requestsOf(outcome(object).after), { limits: ONE, requests: ONE });
  }
});

Deno.test("decidePod() tells of networks that it knows nothing of, and does what it can", () => {
  const { kind, after, warnings } = outcome(
    pod({ networks: "pod1,absent,pod2" }),
    ["home/pod2"],
  );
  assert.equal(kind, "unread");
  assert.deepEqual(requestsOf(after), { limits: ONE, requests: ONE });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? "", /^There is no network "home\/absent" yet.*create the pod again/);
  assert.match(warnings[1] ?? "", /^Network "home\/pod2" could not be read, so no device/);
  for (const warning of warnings) assert.ok(warning.length <= 256, warning);
});

Deno.test("decidePod() asks once for a device that two networks are bound to, and says so", () => {
  for (const second of ["pod1", "mine"]) {
    const { after, warnings } = outcome(pod({ networks: `pod1,${second}` }));
    assert.deepEqual(requestsOf(after), { limits: ONE, requests: ONE });
    assert.equal(
      warnings.join(),
      `Networks "home/pod1" and "home/${second}" share "macvtap.k8slan.io/pod1", of which a pod ` +
        "gets one only",
    );
  }
});
