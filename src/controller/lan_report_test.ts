import { deepEqual, equal } from "node:assert/strict";
import type { LanNodeStatus } from "../api/lan_node.ts";
import { API_VERSION } from "../api/names.ts";
import type { LanNodeObject, Node } from "../kube/resources.ts";
import { changedLans, isNodeGone, lanReport, reportedLans } from "./lan_report.ts";

const META = { uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-31T12:00:00Z" };

function lanNode(name: string, status?: Partial<LanNodeStatus>): LanNodeObject {
  return {
    ...{ apiVersion: API_VERSION, kind: "LANNode", metadata: { ...META, name } },
    ...(status === undefined ? {} : { status: { version: "0", attached: 0, ...status } }),
  };
}

function lan(uid: string, attached: number, ready = true) {
  return { namespace: "red", name: `lan-${uid}`, uid, attached, ready };
}

function attachment(lanUid: string, spoke: string) {
  return { lanUid, spoke, attach: "veth", ifname: "net1", containerID: spoke } as const;
}

Deno.test("lanReport() gathers what all nodes say of a LAN, in the order of their names", () => {
  const report = lanReport("1", [
    lanNode("n2", { lans: [lan("1", 1), lan("2", 5)], attachments: [attachment("1", "b")] }),
    lanNode("n3"),
    lanNode("n1", {
      lans: [{ ...lan("1", 1, false), mtu: 1426, conditions: [{ reason: "A", message: "b" }] }],
      attachments: [attachment("1", "a"), attachment("2", "c")],
    }),
    lanNode("n4", { lans: [lan("2", 1)] }),
  ]);
  deepEqual(report, {
    attached: 2,
    nodes: [
      {
        ...{ node: "n1", attached: 1, ready: false, mtu: 1426 },
        conditions: [{ reason: "A", message: "b" }],
      },
      { node: "n2", attached: 1, ready: true },
    ],
    workloads: [
      { ...attachment("1", "a"), node: "n1" },
      { ...attachment("1", "b"), node: "n2" },
    ],
  });
});

Deno.test("lanReport() counts what a node has cut off, and what has no entry", () => {
  const cut = lanNode("n1", { lans: [lan("1", 9)], attachments: [attachment("1", "a")] });
  equal(lanReport("1", [cut]).attached, 9);
  const bare = lanNode("n1", { attachments: [attachment("1", "a")] });
  deepEqual(lanReport("1", [bare]).nodes, [{ node: "n1", attached: 1, ready: true }]);
});

Deno.test("reportedLans() are all that a node speaks of", () => {
  const object = lanNode("n1", { lans: [lan("1", 0)], attachments: [attachment("2", "a")] });
  deepEqual([...reportedLans(object)], ["1", "2"]);
  deepEqual([...reportedLans(lanNode("n1"))], []);
});

const CHANGES: readonly (readonly [
  string,
  Partial<LanNodeStatus> | undefined,
  Partial<LanNodeStatus> | undefined,
  string[],
])[] = [
  ["nothing", { lans: [lan("1", 1)] }, { lans: [lan("1", 1)] }, []],
  ["another version", { version: "1" }, { version: "2" }, []],
  ["a count", { lans: [lan("1", 1), lan("2", 1)] }, { lans: [lan("1", 2), lan("2", 1)] }, ["1"]],
  ["a new LAN", undefined, { lans: [lan("1", 1)] }, ["1"]],
  ["a LAN less", { lans: [lan("1", 1)] }, undefined, ["1"]],
  [
    "another workload",
    { attachments: [attachment("1", "a"), attachment("2", "b")] },
    { attachments: [attachment("1", "c"), attachment("2", "b")] },
    ["1"],
  ],
];

for (const [what, before, after, wanted] of CHANGES) {
  Deno.test(`changedLans() after ${what}`, () => {
    const [old, now] = [before, after].map((status) => status && lanNode("n1", status));
    deepEqual([...changedLans(old, now)], wanted);
  });
}

Deno.test("isNodeGone() of a node that was removed, or is out of service for sure", () => {
  const node = (taints?: readonly { key: string; effect: string }[]): Node => ({
    ...{ apiVersion: "v1", kind: "Node", metadata: { ...META, name: "n1" } },
    spec: taints === undefined ? {} : { taints },
  });
  equal(isNodeGone(undefined), true);
  equal(isNodeGone(node()), false);
  const unreachable = { key: "node.kubernetes.io/unreachable", effect: "NoExecute" };
  equal(isNodeGone(node([unreachable])), false);
  const out = { key: "node.kubernetes.io/out-of-service", effect: "NoExecute" };
  equal(isNodeGone(node([unreachable, out])), true);
});
