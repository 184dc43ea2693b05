import { deepEqual, equal } from "node:assert/strict";
import { type LauncherOptions, launcherPod } from "../../tests/support/launcher_pods.ts";
import { LAN_MIGRATIONS_MAX } from "../api/lan_status.ts";
import type { LauncherPod } from "./launcher_pods.ts";
import type { Workload } from "./lan_report.ts";
import { lanMigrations, type Launchers } from "./migrations.ts";

const LATER = "2026-01-31T13:00:00Z";
const LATEST = "2026-01-31T14:00:00Z";

function launchersOf(pods: readonly LauncherPod[]): Launchers {
  return {
    byUid: (uid) => pods.find(({ metadata }) => metadata.uid === uid),
    ofVmi: (namespace, vmi) =>
      pods.filter((pod) => pod.metadata.namespace === namespace && pod.vmi === vmi),
  };
}

/** The agent of `node` says that a pod has spoke "a1". */
function holds(pod: string, node: string, change: Partial<Workload> = {}): Workload {
  return {
    ...{ lanUid: "lan", spoke: "a1", attach: "macvtap", ifname: "net1", containerID: "c" },
    ...{ node, pod: { namespace: "default", name: pod, uid: `uid-of-${pod}` } },
    ...change,
  };
}

/** The pod that has the VM, and the one that is to have it. */
function source(options: LauncherOptions = {}): LauncherPod {
  return launcherPod("old", { node: "n1", ...options });
}

function target(options: LauncherOptions = {}, name = "new"): LauncherPod {
  return launcherPod(name, {
    ...{ migration: "job-1", created: LATER, phase: "Pending" },
    ...options,
  });
}

/** What is attached, the VMs' pods, and which pod may have the spoke too. */
const ROWS: readonly (readonly [
  string,
  readonly Workload[],
  readonly LauncherPod[],
  string | undefined,
])[] = [
  ["a pod made for the migration", [holds("old", "n1")], [source(), target()], "new"],
  ["it when it has a node", [holds("old", "n1")], [source(), target({ node: "n2" })], "new"],
  [
    "it while both hold the spoke",
    [holds("old", "n1"), holds("new", "n2")],
    [source(), target({ node: "n2", phase: "Running" })],
    "new",
  ],
  [
    "it while both hold the spoke, whatever the order of nodes",
    [holds("new", "n0"), holds("old", "n1")],
    [target({ node: "n0", phase: "Running" }), source()],
    "new",
  ],
  [
    "it though it goes, as long as it holds the spoke",
    [holds("old", "n1"), holds("new", "n2")],
    [source(), target({ node: "n2", deleted: LATER })],
    "new",
  ],
  ["nobody without a migration", [holds("old", "n1")], [source()], undefined],
  ["nobody when the source is gone", [holds("new", "n2")], [target({ node: "n2" })], undefined],
  [
    "nobody when the source has let go",
    [holds("new", "n2")],
    [source({ phase: "Succeeded" }), target({ node: "n2" })],
    undefined,
  ],
  [
    "nobody when the source has ended",
    [holds("old", "n1")],
    [source({ phase: "Succeeded" }), target()],
    undefined,
  ],
  ...["Succeeded", "Failed"].map((phase) =>
    [
      `nobody when the target is ${phase}`,
      [holds("old", "n1")],
      [source(), target({ phase })],
      undefined,
    ] as const
  ),
  [
    "nobody when the target goes without the spoke",
    [holds("old", "n1")],
    [source(), target({ deleted: LATER })],
    undefined,
  ],
  [
    "nobody of another VM",
    [holds("old", "n1")],
    [source(), target({ vmi: "vmi-2" })],
    undefined,
  ],
  [
    "nobody with a label that its owner does not bear out",
    [holds("old", "n1")],
    [source(), target({ owner: { uid: "vmi-2" } })],
    undefined,
  ],
  [
    "nobody of another namespace",
    [holds("old", "n1")],
    [source(), target({ namespace: "evil" })],
    undefined,
  ],
  [
    "nobody with the VM's label and without that of a migration",
    [holds("old", "n1")],
    [source(), launcherPod("new", { created: LATER })],
    undefined,
  ],
  [
    "nobody that does not ask for the device",
    [holds("old", "n1")],
    [source(), target({ spokes: ["a2"] })],
    undefined,
  ],
  [
    "nobody on the same node",
    [holds("old", "n1")],
    [source(), target({ node: "n1" })],
    undefined,
  ],
  [
    "nobody that was there before",
    [holds("old", "n1")],
    [source({ created: LATEST }), target()],
    undefined,
  ],
  [
    "nobody where the spoke is held by a pod that has no VM",
    [holds("plain", "n1")],
    [source(), target()],
    undefined,
  ],
  [
    "nobody where a pod without a VM holds it too",
    [holds("old", "n1"), holds("plain", "n3")],
    [source(), target()],
    undefined,
  ],
  [
    "nobody where a third pod of the VM holds it too",
    [holds("old", "n1"), holds("new", "n2"), holds("newer", "n3")],
    [source(), target(), target({ created: LATEST, migration: "job-2" }, "newer")],
    undefined,
  ],
  [
    "nobody where what holds it is known by hand alone",
    [{ ...holds("old", "n1"), pod: { namespace: "default", name: "old" } }],
    [source(), target()],
    undefined,
  ],
  [
    "nobody where the report speaks of another pod of that UID",
    [{ ...holds("old", "n1"), pod: { namespace: "evil", name: "old", uid: "uid-of-old" } }],
    [source(), target()],
    undefined,
  ],
  [
    "nobody where the spoke is held as a veth",
    [holds("old", "n1", { attach: "veth" })],
    [source(), target()],
    undefined,
  ],
  [
    "the pod of the second migration, of a VM that has migrated",
    [holds("new", "n2")],
    [
      source({ phase: "Succeeded" }),
      target({ node: "n2", phase: "Running" }),
      target({ created: LATEST, migration: "job-2" }, "newer"),
    ],
    "newer",
  ],
  [
    "nobody of the migration that the source came by",
    [holds("new", "n2")],
    [target({ node: "n2", phase: "Running" }), target({ created: LATEST }, "newer")],
    undefined,
  ],
  [
    "the newest of several that were made",
    [holds("old", "n1")],
    [source(), target(), target({ created: LATEST, migration: "job-2" }, "newer")],
    "newer",
  ],
  [
    "the first pod's successor made in the same second",
    [holds("old", "n1")],
    [source({ created: LATER }), target({}, "abc")],
    "abc",
  ],
];
for (const [who, workloads, pods, to] of ROWS) {
  Deno.test(`lanMigrations() lets ${who} have the spoke too`, () => {
    for (const order of [workloads, workloads.toReversed()]) {
      const found = lanMigrations(order, launchersOf(pods));
      deepEqual(found.map((migration) => migration.to.name), to === undefined ? [] : [to]);
    }
  });
}

Deno.test("lanMigrations() names both pods, and nodes as far as they have them", () => {
  const workloads = [holds("old", "n1")];
  const from = { node: "n1", namespace: "default", name: "old", uid: "uid-of-old" };
  const to = { namespace: "default", name: "new", uid: "uid-of-new" };
  deepEqual(lanMigrations(workloads, launchersOf([source(), target()])), [
    { spoke: "a1", from, to },
  ]);
  deepEqual(lanMigrations(workloads, launchersOf([source(), target({ node: "n2" })])), [
    { spoke: "a1", from, to: { node: "n2", ...to } },
  ]);
});

Deno.test("lanMigrations() moves all spokes of a VM, in order, and not those of its neighbour", () => {
  const workloads = ["b", "c", "a"].map((spoke) =>
    holds(spoke === "c" ? "other" : "old", "n1", { spoke })
  );
  const found = lanMigrations(
    workloads,
    launchersOf([
      source({ spokes: ["a", "b"] }),
      target({ spokes: ["a", "b", "c"] }),
      launcherPod("other", { vmi: "vmi-2", node: "n1", spokes: ["c"] }),
    ]),
  );
  deepEqual(found.map(({ spoke }) => spoke), ["a", "b"]);
});

Deno.test("lanMigrations() tells of so many, and of those that began first", () => {
  const count = LAN_MIGRATIONS_MAX + 20;
  const names = Array.from({ length: count }, (_, n) => `s${String(n).padStart(4, "0")}`);
  const pods = names.flatMap((spoke, n) => [
    launcherPod(`old-${n}`, { vmi: `vmi-${n}`, node: "n1", spokes: [spoke] }),
    launcherPod(`new-${n}`, {
      ...{ vmi: `vmi-${n}`, migration: `job-${n}`, spokes: [spoke] },
      created: new Date(Date.UTC(2026, 5, 1) - n * 1000).toISOString(),
    }),
  ]);
  const found = lanMigrations(
    names.map((spoke, n) => holds(`old-${n}`, "n1", { spoke })),
    launchersOf(pods),
  );
  equal(found.length, LAN_MIGRATIONS_MAX);
  equal(found[0]?.spoke, "s0020");
});
