import { deepEqual } from "node:assert/strict";
import type { Migration } from "../api/lan_status.ts";
import type { Workload } from "./lan_report.ts";
import { sharedSpokes, sharedText } from "./shared_spokes.ts";

/** As in `n1 a1 old`: the agent of that node says that the pod has the spoke; `-` for none of them. */
function workload(text: string): Workload {
  const [node = "", spoke = "", pod = ""] = text.split(" ");
  return {
    ...{ node, lanUid: "lan", attach: "macvtap", ifname: "net1", containerID: "c0ffee" },
    ...(spoke === "-" ? {} : { spoke }),
    ...(pod === "-" ? {} : { pod: { namespace: "red", name: pod, uid: `uid-of-${pod}` } }),
  };
}

function workloads(text: string): Workload[] {
  return text === "" ? [] : text.split(", ").map(workload);
}

/** A VM takes spoke "a1" along from node "n1" to "n2", which may not be known yet. */
function move(to: { readonly node?: string } = { node: "n2" }): Migration {
  const pod = (name: string) => ({ namespace: "red", name, uid: `uid-of-${name}` });
  return { spoke: "a1", from: { node: "n1", ...pod("old") }, to: { ...to, ...pod("new") } };
}

const TABLE: readonly (readonly [
  what: string,
  held: string,
  migrations: readonly Migration[],
  shared: string,
])[] = [
  ["nothing", "", [], ""],
  ["no spoke that one node has", "n1 a1 old, n1 a2 more, n2 b1 other", [], ""],
  ["no veths without a spoke, as many as there are", "n1 - p, n2 - q", [], ""],
  ["a spoke that two nodes have", "n1 a1 old, n2 a1 new", [], "a1"],
  ["one that workloads without a pod have", "n1 a1 -, n2 a1 -", [], "a1"],
  ["several, in order", "n1 b1 p, n1 a1 q, n2 a1 r, n2 b1 s, n2 c1 t", [], "a1 b1"],
  ["no spoke that a VM takes along", "n1 a1 old, n2 a1 new", [move()], ""],
  ["nor one whose next node is not known here yet", "n1 a1 old, n2 a1 new", [move({})], ""],
  ["another spoke than the VM's", "n1 a1 old, n2 a1 new, n1 a2 p, n2 a2 q", [move()], "a2"],
  ["a third node beside a VM's two", "n1 a1 old, n2 a1 new, n3 a1 p", [move()], "a1"],
  ["a stranger beside a VM that moves", "n1 a1 old, n2 a1 stranger", [move()], "a1"],
  ["a VM's next pod where it does not belong", "n1 a1 old, n3 a1 new", [move()], "a1"],
  ["a VM's pod beside one that only has its name", "n1 a1 old, n2 a1 old", [move()], "a1"],
];

for (const [what, held, migrations, wanted] of TABLE) {
  Deno.test(`sharedSpokes() tells of ${what}`, () => {
    const shared = sharedSpokes(workloads(held), migrations);
    deepEqual(shared.map(({ spoke }) => spoke).join(" "), wanted);
  });
}

Deno.test("sharedText() names spoke, pods and nodes, and what to do", () => {
  const texts = (held: string) => sharedSpokes(workloads(held), []).map(sharedText);
  deepEqual(texts("n1 a1 p, n2 a1 q"), [
    'Spoke "a1" is held on 2 nodes at once, by pod "red/p" on node "n1" and ' +
    'pod "red/q" on node "n2": delete one of them',
  ]);
  deepEqual(texts("n1 a1 p, n2 a1 q, n3 a1 -"), [
    'Spoke "a1" is held on 3 nodes at once, by pod "red/p" on node "n1" and ' +
    'pod "red/q" on node "n2" and container "c0ffee" on node "n3": delete all of them but one',
  ]);
});
