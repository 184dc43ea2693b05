import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { type LanStatus, lanStatusSchema } from "../api/lan_status.ts";
import { isSameStatus, type LanFacts, lanStatus } from "./lan_conditions.ts";
import type { LanReport, NodeReport, Workload } from "./lan_report.ts";
import type { NetworksState } from "./networks_state.ts";

const NOW = "2026-02-01T00:00:00Z";
const LATER = "2026-02-02T00:00:00Z";

const NOTHING: LanReport = { nodes: [], workloads: [], attached: 0 };
const WRITTEN: NetworksState = {
  ...{ kind: "written", namespaces: ["red"], wanted: 5, foreign: [], missing: [], rest: 0 },
  errors: [],
};
const GOOD: LanFacts = {
  generation: 1,
  spokes: 2,
  verdict: { kind: "accepted", ns: "knlvrf", vni: 222 },
  networks: WRITTEN,
  report: NOTHING,
  shared: [],
  notReady: [],
  noAgent: { nodes: [], namespace: "system" },
  isDeleting: false,
};

function workload(name: string, node = "n1"): Workload {
  return {
    ...{ node, lanUid: "u", spoke: name, attach: "macvtap", ifname: "net1", containerID: "c" },
    pod: { namespace: "red", name },
  };
}

function node(name: string, change: Partial<NodeReport> = {}): NodeReport {
  return { node: name, attached: 0, ready: true, ...change };
}

function report(nodes: readonly NodeReport[], workloads: readonly Workload[] = []): LanReport {
  return { nodes, workloads, attached: nodes.reduce((sum, { attached }) => sum + attached, 0) };
}

/** As in `Accepted=True/Accepted`. */
function sayings(status: LanStatus): string[] {
  return (status.conditions ?? []).map(({ type, status, reason }) => `${type}=${status}/${reason}`);
}

function messageOf(status: LanStatus, type: string): string {
  return status.conditions?.find((condition) => condition.type === type)?.message ?? "";
}

const FOREIGN = { key: { namespace: "red", name: "pod1" } };
const WORD = "network attachment definition";

interface Case {
  readonly what: string;
  readonly change: Partial<LanFacts>;
  /** What differs from a LAN that is well. */
  readonly says: Readonly<Record<string, string>>;
  readonly messages?: Readonly<Record<string, string | RegExp>>;
}

const CASES: readonly Case[] = [
  {
    what: "a LAN that is well",
    change: {},
    says: {},
    messages: {
      Accepted: `ns "knlvrf", vni 222 and 2 spokes are this LAN's alone`,
      NetworksReady: `5 ${WORD}s in namespace "red"`,
      Ready: "Nothing is attached: a node makes the LAN for its first workload",
    },
  },
  {
    what: "a conflict",
    change: {
      verdict: { kind: "conflict", message: "vni is taken" },
      networks: { kind: "none", why: "not accepted", rest: 0, errors: [] },
    },
    says: { Accepted: "False/Conflict", NetworksReady: "False/Pending", Ready: "False/Conflict" },
    messages: {
      Ready: "vni is taken",
      NetworksReady: `Network attachment definitions are made when the LAN is accepted`,
    },
  },
  {
    what: "a conflict whose network attachment definitions can't be removed",
    change: {
      verdict: { kind: "conflict", message: "vni is taken" },
      networks: { kind: "none", why: "not accepted", rest: 2, errors: ["no"] },
    },
    says: { Accepted: "False/Conflict", NetworksReady: "False/Pending", Ready: "False/Conflict" },
    messages: { NetworksReady: /; 2 have yet to be removed; some can't be written, .*: no$/ },
  },
  {
    what: "an invalid object",
    change: {
      verdict: { kind: "invalid", message: "spec.vni is required" },
      networks: { kind: "none", why: "not accepted", rest: 0, errors: [] },
    },
    says: { Accepted: "False/Invalid", NetworksReady: "False/Pending", Ready: "False/Invalid" },
  },
  {
    what: "no Multus",
    change: { networks: { kind: "multus missing" } },
    says: { NetworksReady: "False/MultusMissing", Ready: "False/MultusMissing" },
    messages: { Ready: /no network-attachment-definitions\.k8s\.cni\.cncf\.io; install Multus/ },
  },
  {
    what: "network attachment definitions that can't be read",
    change: { networks: { kind: "unknown", error: "no permission" } },
    says: { NetworksReady: "False/Pending", Ready: "False/Pending" },
    messages: { Ready: `The cluster's ${WORD}s can't be read: no permission` },
  },
  {
    what: "a name that is taken, and a namespace that is missing",
    change: { networks: { ...WRITTEN, foreign: [FOREIGN], missing: ["blue"], rest: 1 } },
    says: { NetworksReady: "False/NameTaken", Ready: "False/NameTaken" },
    messages: { Ready: /^1 .*is not this LAN's.*"red\/pod1"; .*Namespace "blue" does not.*1 of 5/ },
  },
  {
    what: "names that are taken",
    change: { networks: { ...WRITTEN, foreign: [{ ...FOREIGN, lan: "a/b" }, FOREIGN] } },
    says: { NetworksReady: "False/NameTaken", Ready: "False/NameTaken" },
    messages: { Ready: /^2 .*are not this LAN's.*"red\/pod1" \(of LAN "a\/b"\), "red\/pod1"; / },
  },
  {
    what: "namespaces that are missing",
    change: { networks: { ...WRITTEN, missing: ["blue", "green"] } },
    says: { NetworksReady: "False/NamespaceMissing", Ready: "False/NamespaceMissing" },
    messages: { Ready: /^Namespaces "blue", "green" do not exist/ },
  },
  {
    what: "work half done",
    change: { networks: { ...WRITTEN, rest: 3 } },
    says: { NetworksReady: "False/Pending", Ready: "False/Pending" },
    messages: { Ready: `3 of 5 ${WORD}s have yet to be written` },
  },
  {
    what: "writes that fail",
    change: { networks: { ...WRITTEN, rest: 3, errors: ["quota", "gone"] } },
    says: { NetworksReady: "False/Pending", Ready: "False/Pending" },
    messages: { Ready: /3 of 5 .*can't be written, which is tried again: quota; gone$/ },
  },
  {
    what: "workloads",
    change: {
      report: report([node("n1", { attached: 1 }), node("n2", { attached: 1 })], [
        workload("a"),
        { ...workload("b", "n2"), pod: undefined, spoke: undefined } as unknown as Workload,
      ]),
    },
    says: { NodesReady: "True/Ready", InUse: "True/Attached", Connected: "Unknown/Probing" },
    messages: {
      NodesReady: "2 workloads on 2 nodes",
      InUse: 'pod "red/a" (spoke "a") on node "n1", container "c" on node "n2"',
      Ready: "2 workloads on 2 nodes",
    },
  },
  {
    what: "many workloads",
    change: {
      report: report([node("n1", { attached: 9 })], [..."abcdefg"].map((name) => workload(name))),
    },
    says: {
      ...{ NodesReady: "True/Ready", InUse: "True/Attached", Connected: "Unknown/NothingToReach" },
    },
    messages: { InUse: /"red\/e" .* and 4 more$/ },
  },
  {
    what: "a node that is not ready",
    change: {
      report: report([
        node("n1", { attached: 1 }),
        node("n2", {
          ready: false,
          conditions: [{ reason: "UnderlayMissing", message: "No eth1" }],
        }),
        node("n3", { ready: false }),
      ], [workload("a")]),
    },
    says: {
      ...{ NodesReady: "False/Degraded", InUse: "True/Attached", Ready: "False/Degraded" },
      Connected: "Unknown/NothingToReach",
    },
    messages: { Ready: /^node "n2": UnderlayMissing: No eth1; node "n3": NotReady: / },
  },
  {
    what: "a node that is ready, but",
    change: {
      report: report([
        node("n1", { conditions: [{ reason: "LanMtuSmall", message: "Only 1200 bytes" }] }),
      ]),
    },
    says: {},
    messages: { NodesReady: /first workload; node "n1": LanMtuSmall: Only 1200 bytes$/ },
  },
  {
    what: "nodes whose MTU differs",
    change: {
      report: report([
        node("n1", { attached: 1, mtu: 1426 }),
        node("n2", { attached: 1, mtu: 1376 }),
        node("n3", { attached: 1, mtu: 1426 }),
        node("n4", { mtu: 1300 }),
      ], [workload("a")]),
    },
    says: {
      ...{ NodesReady: "False/Degraded", InUse: "True/Attached", Ready: "False/Degraded" },
      Connected: "Unknown/Probing",
    },
    messages: {
      Ready: `MtuDiffers: the LAN's MTU is 1376 on 1 node ("n2"), 1426 on 2 nodes ("n1", "n3"); ` +
        "set spec.mtu to 1376, or give the nodes' underlays one MTU",
    },
  },
  {
    what: "a spoke that is held on two nodes, first of all that is wrong with them",
    change: {
      report: report([
        node("n1", { attached: 1, mtu: 1426 }),
        node("n2", { attached: 1, mtu: 1376 }),
      ], [workload("a"), workload("a", "n2")]),
      shared: [{ spoke: "a", holders: [workload("a"), workload("a", "n2")] }],
    },
    says: {
      ...{ NodesReady: "False/SpokeShared", InUse: "True/Attached", Ready: "False/SpokeShared" },
      Connected: "Unknown/Probing",
    },
    messages: { Ready: /^Spoke "a" is held on 2 nodes at once, by .*: delete one of them; MtuDif/ },
  },
  {
    what: "a node that Kubernetes hears nothing of, whose agent said last that all is well",
    change: {
      report: report([node("n1", { attached: 1 }), node("n2", { attached: 1, ready: true })], [
        workload("a"),
      ]),
      notReady: [{ node: "n2", isSilent: true, since: NOW }],
    },
    says: {
      ...{ NodesReady: "False/NodeNotReady", InUse: "True/Attached", Ready: "False/NodeNotReady" },
      Connected: "Unknown/Probing",
    },
    messages: {
      Ready: `Node "n2" (nothing heard of it since ${NOW}) is not ready: what its agent said ` +
        "last may be out of date; see `kubectl describe node n2`; if it is gone for good, " +
        "delete the node, and what was attached there no longer counts",
    },
  },
  {
    what: "nodes that are not ready before a node on which something is wrong",
    change: {
      report: report([
        node("n1", { attached: 1, ready: false }),
        node("n2", { attached: 1 }),
        node("n3", { attached: 1 }),
      ], [workload("a")]),
      notReady: [
        { node: "n2", isSilent: false, since: NOW },
        { node: "n3", isSilent: true },
      ],
    },
    says: {
      ...{ NodesReady: "False/NodeNotReady", InUse: "True/Attached", Ready: "False/NodeNotReady" },
      Connected: "Unknown/Probing",
    },
    messages: {
      Ready: /^Nodes "n2" \(since 2026.*Z\), "n3" \(nothing .*\) are not .*; node "n1": NotReady: /,
    },
  },
  {
    what: "a node whose agent is away, after one that is not ready",
    change: {
      report: report([node("n1", { attached: 1 }), node("n2", { attached: 1 })], [workload("a")]),
      notReady: [{ node: "n1", isSilent: true }],
      noAgent: { nodes: ["n2"], namespace: "system" },
    },
    says: {
      ...{ NodesReady: "False/NodeNotReady", InUse: "True/Attached", Ready: "False/NodeNotReady" },
      Connected: "Unknown/Probing",
    },
    messages: {
      Ready: /^Node "n1" .*; The agent of node "n2" is not ready: what is attached goes/,
    },
  },
  {
    what: "nodes whose agents are away, before what they said themselves",
    change: {
      report: report([
        node("n1", { attached: 1, ready: false }),
        node("n2", { attached: 1 }),
      ], [workload("a")]),
      noAgent: { nodes: ["n1", "n2"], namespace: "system" },
    },
    says: {
      ...{ NodesReady: "False/AgentNotReady", InUse: "True/Attached" },
      ...{ Connected: "Unknown/Probing", Ready: "False/AgentNotReady" },
    },
    messages: {
      Ready:
        /^The agents of nodes "n1", "n2" are .*see `kubectl -n system get pods .*`; node "n1": /,
    },
  },
  {
    what: "a spoke that is held on two nodes, of which one is not ready",
    change: {
      report: report([node("n1", { attached: 1 }), node("n2", { attached: 1 })], [
        ...[workload("a"), workload("a", "n2")],
      ]),
      shared: [{ spoke: "a", holders: [workload("a"), workload("a", "n2")] }],
      notReady: [{ node: "n2", isSilent: true }],
    },
    says: {
      ...{ NodesReady: "False/SpokeShared", InUse: "True/Attached", Ready: "False/SpokeShared" },
      Connected: "Unknown/Probing",
    },
    messages: { Ready: /^Spoke "a" is held .*; Node "n2" \(nothing heard of it\) is not ready: / },
  },
  {
    what: "nodes that do not reach each other, for which the LAN is ready all the same",
    change: {
      report: report(
        ["n1", "n2"].map((name) =>
          node(name, {
            attached: 1,
            probe: {
              ...{ state: "Known", peers: 1, reachable: 0 },
              unreachable: [{ node: name === "n1" ? "n2" : "n1", reason: "Silent" }],
            },
          })
        ),
      ),
    },
    says: { NodesReady: "True/Ready", InUse: "True/Attached", Connected: "False/Unreachable" },
    messages: { Connected: /^Nodes "n1" and "n2" hear nothing of each other: look / },
  },
  {
    what: "deletion",
    change: {
      isDeleting: true,
      networks: { kind: "none", why: "deleting", rest: 0, errors: [] },
      report: report([node("n1", { attached: 1 })], [workload("a")]),
    },
    says: {
      NetworksReady: "False/Pending",
      NodesReady: "True/Ready",
      InUse: "True/Attached",
      Connected: "Unknown/NothingToReach",
      Ready: "False/Deleting",
    },
    messages: { Ready: /waits for 1 workload: pod "red\/a" \(spoke "a"\) on node "n1"$/ },
  },
  {
    what: "deletion that waits for a node that is not ready",
    change: {
      isDeleting: true,
      networks: { kind: "none", why: "deleting", rest: 0, errors: [] },
      report: report([node("n1", { attached: 1 })], [workload("a")]),
      notReady: [{ node: "n1", isSilent: true }],
    },
    says: {
      NetworksReady: "False/Pending",
      NodesReady: "False/NodeNotReady",
      InUse: "True/Attached",
      Connected: "Unknown/NothingToReach",
      Ready: "False/Deleting",
    },
    messages: { Ready: /on node "n1"; Node "n1" \(nothing .*; if it is gone for good, delete / },
  },
];

const WELL = {
  Accepted: "True/Accepted",
  NetworksReady: "True/Ready",
  NodesReady: "True/NothingAttached",
  InUse: "False/NothingAttached",
  Connected: "Unknown/NothingAttached",
  Ready: "True/Ready",
};

for (const { what, change, says, messages = {} } of CASES) {
  Deno.test(`lanStatus() tells of ${what}`, () => {
    const status = lanStatus({ ...GOOD, ...change }, undefined, NOW);
    deepEqual(
      sayings(status),
      Object.entries({ ...WELL, ...says }).map(([type, saying]) => `${type}=${saying}`),
    );
    for (const [type, wanted] of Object.entries(messages)) {
      if (typeof wanted === "string") equal(messageOf(status, type), wanted);
      else match(messageOf(status, type), wanted);
    }
    deepEqual(lanStatusSchema.safeParse(status).error, undefined);
  });
}

Deno.test("lanStatus() counts", () => {
  const nodes = [node("n1", { attached: 2 }), node("n2", { attached: 1 }), node("n3")];
  const status = lanStatus({ ...GOOD, generation: 7, report: report(nodes) }, undefined, NOW);
  const { spokes, attached, nodes: used, observedGeneration } = status;
  deepEqual({ spokes, attached, used, observedGeneration }, {
    ...{ spokes: 2, attached: 3, used: 2, observedGeneration: 7 },
  });
});

Deno.test("lanStatus() keeps the time of a transition until there is another one", () => {
  const times = (status: LanStatus) =>
    Object.fromEntries(
      status.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]) ?? [],
    );
  const first = lanStatus(GOOD, undefined, NOW);
  const same = lanStatus({ ...GOOD, networks: { ...WRITTEN, wanted: 7 } }, first, LATER);
  deepEqual(times(same), times(first));
  ok(!isSameStatus(first, same));
  const used = report([node("n1", { attached: 1 })], [workload("a")]);
  const now = times(lanStatus({ ...GOOD, report: used }, first, LATER));
  equal(now["InUse"], LATER);
  equal(now["NodesReady"], NOW); // another reason, the same status
});

Deno.test("lanStatus() is the same again when nothing changed", () => {
  const first = lanStatus(GOOD, undefined, NOW);
  ok(isSameStatus(first, lanStatus(GOOD, first, LATER)));
  ok(!isSameStatus(undefined, first));
  notEqual(first, undefined);
});

Deno.test("lanStatus() keeps what it knew of networks that can't be read now", () => {
  const first = lanStatus(GOOD, undefined, NOW);
  const unknown = { ...GOOD, networks: { kind: "unknown", error: "no" } } as const;
  ok(isSameStatus(first, lanStatus(unknown, first, LATER)));
});

Deno.test("lanStatus() stays within the CRD's limits, however much there is to say", () => {
  const conditions = Array.from({ length: 16 }, () => ({
    reason: "UnderlayMissing",
    message: "x".repeat(2048),
  }));
  const nodes = Array.from(
    { length: 1000 },
    (_, n) => node(`n${n}`, { attached: 500, ready: false, conditions, mtu: 1300 + n }),
  );
  const names = Array.from({ length: 5000 }, (_, n) => `${n}`.padStart(200, "y"));
  const networks: NetworksState = {
    ...WRITTEN,
    ...{ namespaces: names, missing: names, errors: names },
    foreign: names.map((name) => ({ key: { namespace: name, name } })),
  };
  const notReady = names.map((node) => ({ node, isSilent: true, since: NOW }));
  const said = report(nodes, names.map((name) => workload(name)));
  const noAgent = { nodes: names, namespace: "system" };
  const facts = { ...GOOD, networks, report: said, notReady, noAgent };
  for (const isDeleting of [false, true]) {
    const status = lanStatus({ ...facts, isDeleting }, undefined, NOW);
    deepEqual(lanStatusSchema.safeParse(status).error, undefined);
    match(messageOf(status, "NodesReady"), / and 99\d more$/);
  }
});
