import assert from "node:assert/strict";
import { fastest } from "../../tests/support/fastest.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import type { Attachment } from "../agent/attachment.ts";
import { LanRegistry } from "../agent/lan_registry.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { Lan, LanSpec } from "../api/lan.ts";
import { lanNodeStatusSchema } from "../api/lan_node.ts";
import { lanName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";
import { version } from "../version.ts";
import { lanNodeStatus, type ReportSources } from "./node_report.ts";

function uidOf(number: number): string {
  return `0d5b2a1c-7f0e-4c58-9f6a-${String(number).padStart(12, "0")}`;
}

/** LAN "default/lan<number>", that clashes with no other. */
function lanOf(number: number, spec: Partial<LanSpec> = {}, deletionTimestamp?: string): Lan {
  const lan = seedLan({
    ...{ ns: `n${number}`, vni: 1000 + number, spokes: [`s${number}`, `t${number}`], ...spec },
  }, uidOf(number));
  const name = `lan${String(number).padStart(5, "0")}`;
  return {
    ...lan,
    metadata: {
      ...{ ...lan.metadata, namespace: "default", name },
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
  };
}

function attachmentOf(lan: Lan, spoke: string, pod = `pod-${spoke}`): Attachment {
  return {
    ...{ containerId: `c-${spoke}`, ifname: "net1", spoke, attach: "macvtap" },
    ...{ lanId: markId(lan.metadata.uid), lan: lanName(lan), port: `${spoke}.b` },
    netnsPath: `/run/k8slan/netns/${lan.spec.ns}`,
    details: {
      ...{ network: "net-a", mac: "02:00:00:00:00:01", mtu: 1426, ips: [], routes: [] },
      pod: { namespace: "default", name: pod, uid: `uid-of-${pod}` },
    },
  };
}

interface Setting {
  readonly lans?: readonly Lan[];
  readonly attachments?: readonly Attachment[];
  readonly found?: Readonly<Record<string, readonly Condition[]>>;
  readonly prospects?: Readonly<Record<string, readonly Condition[] | null>>;
  readonly problems?: readonly Condition[];
}

function sourcesOf(setting: Setting): ReportSources {
  const registry = new LanRegistry();
  registry.replace(setting.lans ?? []);
  return {
    registry,
    attachments: { all: () => setting.attachments ?? [] },
    conditions: (lanId) => setting.found?.[lanId] ?? [],
    prospect: ({ metadata: { uid } }) => {
      const conditions = setting.prospects?.[uid];
      if (conditions === null) return undefined;
      const vtep = "2001:db8::1";
      return { underlay: "eth1", mtu: 1426, vtep, conditions: conditions ?? [] };
    },
    problems: () => setting.problems ?? [],
  };
}

/** The status, which has to obey its schema. */
function report(setting: Setting) {
  return lanNodeStatusSchema.parse(lanNodeStatus(sourcesOf(setting)));
}

const DOWN: Condition = { reason: "UnderlayDown", message: 'Underlay device "eth1" is down' };
const FAILED: Condition = { reason: "ReconcileFailed", message: "The kernel refused" };

Deno.test("lanNodeStatus() of a node where nothing is attached and nothing wrong is short", () => {
  assert.deepEqual(report({ lans: [lanOf(1)] }), { version, attached: 0 });
});

Deno.test("lanNodeStatus() tells of a LAN in use and of what is attached", () => {
  const lan = lanOf(1);
  assert.deepEqual(report({ lans: [lan], attachments: [attachmentOf(lan, "s1")] }), {
    version,
    lans: [{
      ...{ namespace: "default", name: "lan00001", uid: uidOf(1), attached: 1, ready: true },
      ...{ underlay: "eth1", mtu: 1426 },
    }],
    attachments: [{
      ...{ lanUid: uidOf(1), spoke: "s1", attach: "macvtap", ifname: "net1" },
      ...{ containerID: "c-s1", mac: "02:00:00:00:00:01" },
      pod: { namespace: "default", name: "pod-s1", uid: "uid-of-pod-s1" },
    }],
    attached: 1,
  });
});

Deno.test("lanNodeStatus() says where frames go of a LAN with a unicast underlay that is in use", () => {
  const [used, idle] = [lanOf(1, { underlay: "unicast" }), lanOf(2, { underlay: "unicast" })];
  const prospects = { [uidOf(1)]: [DOWN], [uidOf(2)]: [DOWN] };
  const attachments = [attachmentOf(used, "s1")];
  const { lans } = report({ lans: [used, idle], attachments, prospects });
  assert.deepEqual(lans?.map(({ vtep }) => vtep), ["2001:db8::1", undefined]);
});

Deno.test("lanNodeStatus() tells of an attachment whose record was lost", () => {
  const { details: _, ...attachment } = attachmentOf(lanOf(1), "s1");
  const { attachments } = report({ lans: [lanOf(1)], attachments: [attachment] });
  assert.deepEqual(attachments, [{
    ...{ lanUid: uidOf(1), spoke: "s1", attach: "macvtap", ifname: "net1", containerID: "c-s1" },
  }]);
});

/** `namespace/name` aside, what is said of LAN 1. */
const SAID: readonly (readonly [string, Setting, object | undefined])[] = [
  [
    "an idle LAN that could not be carried",
    { lans: [lanOf(1)], prospects: { [uidOf(1)]: [DOWN] } },
    { attached: 0, ready: false, underlay: "eth1", mtu: 1426, conditions: [DOWN] },
  ],
  [
    "an idle LAN that names no underlay for this node",
    { lans: [lanOf(1)], prospects: { [uidOf(1)]: null } },
    undefined,
  ],
  [
    "an idle LAN of which something cannot be removed",
    { lans: [lanOf(1)], prospects: { [uidOf(1)]: null }, found: { [uidOf(1)]: [FAILED] } },
    { attached: 0, ready: false, conditions: [FAILED] },
  ],
  [
    "an idle LAN that is being deleted",
    { lans: [lanOf(1, {}, "2026-02-01T00:00:00Z")], prospects: { [uidOf(1)]: [DOWN] } },
    undefined,
  ],
  [
    "an idle LAN that is not accepted",
    { lans: [lanOf(0), lanOf(1, { vni: 1000 })], prospects: { [uidOf(1)]: [DOWN] } },
    undefined,
  ],
  [
    "a LAN in use, what was found before what is to be expected",
    {
      ...{ lans: [lanOf(1)], attachments: [attachmentOf(lanOf(1), "s1")] },
      found: { [uidOf(1)]: [FAILED, { ...DOWN, message: "as found" }] },
      prospects: { [uidOf(1)]: [DOWN] },
    },
    {
      ...{ attached: 1, ready: false, underlay: "eth1", mtu: 1426 },
      conditions: [FAILED, { ...DOWN, message: "as found" }],
    },
  ],
  [
    "a LAN in use that is being deleted",
    {
      lans: [lanOf(1, {}, "2026-02-01T00:00:00Z")],
      attachments: [attachmentOf(lanOf(1), "s1")],
    },
    { attached: 1, ready: true, underlay: "eth1", mtu: 1426 },
  ],
];

for (const [what, setting, expected] of SAID) {
  Deno.test(`lanNodeStatus() tells of ${what}: ${expected === undefined ? "nothing" : "so"}`, () => {
    const found = report(setting).lans?.find(({ uid }) => uid === uidOf(1));
    const known = { namespace: "default", name: "lan00001", uid: uidOf(1) };
    assert.deepEqual(found, expected && { ...known, ...expected });
  });
}

Deno.test("lanNodeStatus() tells of a LAN in use that is no longer accepted", () => {
  const lans = [lanOf(0), lanOf(1, { vni: 1000 })];
  const attachments = [attachmentOf(lanOf(1), "s1")];
  const [said] = report({ lans, attachments, prospects: { [uidOf(1)]: [DOWN] } }).lans ?? [];
  assert.deepEqual([said?.ready, said?.conditions?.map(({ reason }) => reason)], [
    false,
    ["Conflict"],
  ]);
});

Deno.test("lanNodeStatus() tells of a LAN in use that is configured no more", () => {
  const { lans, attached } = report({ attachments: [attachmentOf(lanOf(1), "s1")] });
  assert.equal(attached, 1);
  assert.deepEqual(lans?.map(({ conditions: _, ...lan }) => lan), [
    { namespace: "default", name: "lan00001", uid: uidOf(1), attached: 1, ready: false },
  ]);
});

Deno.test("lanNodeStatus() names a LAN of which only the id is left", () => {
  const attachment = { ...attachmentOf(lanOf(1), "s1"), lan: uidOf(1) };
  const [said] = report({ attachments: [attachment] }).lans ?? [];
  assert.deepEqual([said?.namespace, said?.name, said?.uid], ["unknown", uidOf(1), uidOf(1)]);
});

Deno.test("lanNodeStatus() is the same whatever the order of its sources", () => {
  const lans = [1, 2, 3].map((number) => lanOf(number));
  const attachments = lans.flatMap((lan, at) => [
    attachmentOf(lan, `t${at + 1}`),
    attachmentOf(lan, `s${at + 1}`),
  ]);
  const one = lanNodeStatus(sourcesOf({ lans, attachments }));
  const other = lanNodeStatus(
    sourcesOf({ lans: lans.toReversed(), attachments: attachments.toReversed() }),
  );
  assert.equal(JSON.stringify(one), JSON.stringify(other));
  assert.deepEqual(one.attachments?.map(({ spoke }) => spoke), [
    "s1",
    "t1",
    "s2",
    "t2",
    "s3",
    "t3",
  ]);
});

Deno.test("lanNodeStatus() of 1000 LANs takes milliseconds", () => {
  const lans = Array.from({ length: 1000 }, (_, number) => lanOf(number));
  const sources = sourcesOf({
    lans,
    attachments: lans.map((lan, i) => attachmentOf(lan, `s${i}`)),
  });
  const best = fastest(() => lanNodeStatus(sources), 100); // 6 ms on a quiet machine
  assert.ok(best < 100, `${best} ms`);
});
