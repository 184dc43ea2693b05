import { deepEqual, equal, throws } from "node:assert/strict";
import { DEFAULT_OPTIONS, podLabels } from "../../scripts/manifests/common.ts";
import { HoldWatch } from "./hold_watch.ts";
import {
  AGENT_HOLD,
  AGENT_PODS,
  type AgentPod,
  AGENTS_SELECTOR,
  isSameAgent,
  noAgentText,
} from "./agent_pods.ts";

const META = {
  ...{ name: "k8slan-ds-x", namespace: DEFAULT_OPTIONS.namespace, uid: "u", resourceVersion: "1" },
  creationTimestamp: "2026-02-01T00:00:00Z",
};

function agent(ready?: string, node?: string): AgentPod {
  return AGENT_PODS.decode({
    metadata: { ...META, labels: podLabels("agent"), annotations: { a: "b" } },
    spec: { nodeName: node, containers: [] },
    status: {
      conditions: [
        { type: "PodScheduled", status: "True" },
        ...(ready === undefined ? [] : [{ type: "Ready", status: ready }]),
      ],
    },
  });
}

Deno.test("AGENTS_SELECTOR selects the pods of the manifest's DaemonSet", () => {
  const labels = Object.entries(podLabels("agent")).map(([key, value]) => `${key}=${value}`);
  equal(AGENTS_SELECTOR, labels.join());
});

Deno.test("AGENT_PODS keeps of a pod its node and whether it is ready, and nothing else", () => {
  deepEqual(agent("True", "n1"), {
    ...{ apiVersion: "v1", kind: "Pod", metadata: META, node: "n1", isReady: true },
  });
  deepEqual([agent("False"), agent()].map(({ isReady }) => isReady), [false, false]);
  const bare = { apiVersion: "v1", kind: "Pod", metadata: META, isReady: false };
  for (const rest of [{}, { spec: null, status: [] }, { status: { conditions: [null] } }]) {
    deepEqual(AGENT_PODS.decode({ metadata: META, ...rest }), bare);
  }
  throws(() => AGENT_PODS.decode({}), { code: "ApiServerGarbled" });
});

Deno.test("isSameAgent() of states of which the same is to be said", () => {
  const states = [undefined, agent("True", "n1"), agent("False", "n1"), agent("True", "n2")];
  for (const [index, one] of states.entries()) {
    for (const [other, two] of states.entries()) {
      equal(isSameAgent(one, two), index === other, `${index} and ${other}`);
    }
  }
});

Deno.test("AGENT_HOLD lets an agent be updated", () => {
  const watch = new HoldWatch(AGENT_HOLD);
  deepEqual(watch.look("lan", ["n1"], undefined, 0), { lasting: [], againMs: 30_000 });
  deepEqual(watch.look("lan", ["n2"], undefined, 29_999), { lasting: [], againMs: 30_000 });
  deepEqual(watch.look("lan", ["n2"], undefined, 59_999), { lasting: ["n2"] });
});

Deno.test("noAgentText() names nodes, what it means and what to do", () => {
  equal(
    noAgentText(["n1"], "system"),
    'The agent of node "n1" is not ready: what is attached goes on, but nothing new can be ' +
      "attached there, and what was said of it last may be out of date; see " +
      "`kubectl -n system get pods -o wide`",
  );
  equal(
    noAgentText(["n1", "n2"], "s").split(":")[0],
    'The agents of nodes "n1", "n2" are not ready',
  );
});
