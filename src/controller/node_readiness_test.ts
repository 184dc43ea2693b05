import { deepEqual, equal, ok } from "node:assert/strict";
import type { Node } from "../kube/resources.ts";
import { HoldWatch } from "./hold_watch.ts";
import {
  briefStatus,
  isSameReadiness,
  NOT_READY_HOLD,
  notReady,
  notReadyText,
} from "./node_readiness.ts";

const SINCE = "2026-02-01T00:00:00Z";
const LATER = "2026-02-02T00:00:00Z";

type Conditions = NonNullable<NonNullable<Node["status"]>["conditions"]>;

function node(conditions?: Conditions): Node {
  return {
    ...{ apiVersion: "v1", kind: "Node" },
    metadata: { name: "n1", uid: "u", resourceVersion: "1", creationTimestamp: SINCE },
    ...(conditions === undefined ? {} : { status: { conditions } }),
  };
}

function ready(status: string, lastTransitionTime = SINCE): Node {
  return node([
    { type: "MemoryPressure", status: "True" },
    { type: "Ready", status, lastTransitionTime },
  ]);
}

Deno.test("notReady() of a node that says so, and of one that nothing is heard of", () => {
  deepEqual(notReady(ready("False")), { node: "n1", isSilent: false, since: SINCE });
  deepEqual(notReady(ready("Unknown")), { node: "n1", isSilent: true, since: SINCE });
  deepEqual(notReady(node([{ type: "Ready", status: "False" }])), { node: "n1", isSilent: false });
});

Deno.test("notReady() says nothing of a node that is ready, gone, or has not told yet", () => {
  const cordoned = { ...ready("True"), spec: { unschedulable: true } };
  for (const one of [ready("True"), cordoned, undefined, node(), node([])]) {
    equal(notReady(one), undefined);
  }
});

Deno.test("briefStatus() keeps what notReady() needs, and nothing that a heartbeat changes", () => {
  const beat = (lastHeartbeatTime: string) => ({
    conditions: [
      { type: "DiskPressure", status: "False", lastHeartbeatTime },
      {
        ...{ type: "Ready", status: "False", lastHeartbeatTime, lastTransitionTime: SINCE },
        ...{ reason: "KubeletNotReady", message: `At ${lastHeartbeatTime}` },
      },
    ],
    images: [{ names: ["a"] }],
  });
  deepEqual(briefStatus(beat(SINCE)), briefStatus(beat(LATER)));
  deepEqual(notReady({ ...node(), status: briefStatus(beat(SINCE)) }), notReady(ready("False")));
  deepEqual(briefStatus(undefined), {});
});

Deno.test("isSameReadiness() of states of a node of which the same is to be said", () => {
  const states = [
    ready("True"),
    ready("False"),
    ready("Unknown"),
    ready("Unknown", LATER),
  ];
  for (const [index, one] of states.entries()) {
    for (const [other, two] of states.entries()) {
      equal(isSameReadiness(one, two), index === other, `${index} and ${other}`);
    }
  }
  ok(isSameReadiness(ready("True"), ready("True", LATER)));
  ok(isSameReadiness(undefined, node()));
});

Deno.test("NOT_READY_HOLD lets a kubelet start, and waits no more for a node that is silent", () => {
  const watch = new HoldWatch(NOT_READY_HOLD);
  const found = ["False", "Unknown"].map((status) => notReady(ready(status))!);
  const [says, silent] = found.map((one) => [one]);
  deepEqual(watch.look("starts", says!, undefined, 0), { lasting: [], againMs: 15_000 });
  deepEqual(watch.look("starts", says!, undefined, 15_000), { lasting: says });
  deepEqual(watch.look("dead", silent!, undefined, 0), { lasting: silent });
  // It is back when it is ready, not when it says that it is not.
  deepEqual(watch.look("dead", says!, undefined, 1), { lasting: says });
});

Deno.test("notReadyText() names few of very many nodes", () => {
  const nodes = Array.from({ length: 100 }, (_, n) => ({ node: `n${n}`, isSilent: false }));
  ok(
    notReadyText(nodes).startsWith('Nodes "n0", "n1", "n2", "n3", "n4" and 95 more are not ready'),
  );
});
