import assert from "node:assert/strict";
import {
  type AttachmentOnNode,
  type LanNodeStatus,
  lanNodeStatusSchema,
  type LanOnNode,
} from "../api/lan_node.ts";
import { clip, cutReport, type FullReport } from "./report_limits.ts";

function lanOnNode(number: number, change: Partial<LanOnNode> = {}): LanOnNode {
  const uid = `0d5b2a1c-7f0e-4c58-9f6a-${String(number).padStart(12, "0")}`;
  return { namespace: "default", name: `lan${number}`, uid, attached: 1, ready: true, ...change };
}

function attachmentOnNode(number: number): AttachmentOnNode {
  return {
    ...{ lanUid: lanOnNode(number).uid, spoke: `s${number}`, attach: "macvtap", ifname: "net1" },
    containerID: String(number).padStart(64, "c"),
    mac: "02:00:00:00:00:01",
    pod: { namespace: "default", name: `pod-${number}`, uid: lanOnNode(number).uid },
  };
}

/** The cut report, which has to obey its schema. */
function cut(report: Partial<FullReport>): LanNodeStatus {
  const all = {
    version: "0.1.0",
    lans: [],
    attachments: [],
    attached: 0,
    unattached: [],
    problems: [],
  };
  return lanNodeStatusSchema.parse(cutReport({ ...all, ...report }));
}

function list<T>(length: number, make: (number: number) => T): T[] {
  return Array.from({ length }, (_, number) => make(number));
}

function problemsOf({ problems = [] }: LanNodeStatus): string[] {
  return problems.map(({ reason, message }) => `${reason}: ${message}`);
}

Deno.test("cutReport() leaves a report alone that there is room for", () => {
  const report = {
    ...{ version: "0.1.0", lans: list(500, lanOnNode), attached: 500 },
    attachments: list(500, attachmentOnNode),
    problems: [{ reason: "AliasTaken", message: "as it is" }],
  };
  assert.deepEqual(cut(report), report);
});

Deno.test("cutReport() names as many attachments as there is room for, and says how many lack", () => {
  const status = cut({ attachments: list(5000, attachmentOnNode), attached: 5000 });
  assert.equal(status.attached, 5000);
  const kept = status.attachments?.length ?? 0;
  assert.ok(kept > 3000 && kept <= 4096, String(kept));
  assert.deepEqual(problemsOf(status), [
    `ReportCut: This node has 5000 attachments to tell of and room for ${kept}; the counts are exact, and \`k8slan status\` on the node shows all`,
  ]);
});

Deno.test("cutReport() keeps LANs in use, in their order, where there is no room for all", () => {
  const lans = list(4000, (number) => lanOnNode(number, { attached: number % 4 === 0 ? 1 : 0 }));
  const status = cut({ lans });
  const kept = status.lans ?? [];
  assert.ok(kept.length < 2000, String(kept.length));
  assert.equal(kept.filter(({ attached }) => attached > 0).length, 1000);
  assert.deepEqual(kept.map(({ name }) => name), kept.map(({ name }) => name).toSorted(byNumber));
  assert.match(problemsOf(status)[0] ?? "", /^ReportCut: This node has 4000 LANs/);
});

function byNumber(one: string, other: string): number {
  return Number(one.slice(3)) - Number(other.slice(3));
}

Deno.test("cutReport() names 64 of the pods that are not attached", () => {
  const unattached = list(70, (number) => ({
    ...{ lanUid: lanOnNode(number).uid, spoke: `s${number}` },
    pod: { namespace: "default", name: `pod-${number}` },
  }));
  assert.deepEqual(cut({ unattached }).unattached, unattached.slice(0, 64));
});

Deno.test("cutReport() makes nothing that etcd would not take", () => {
  const message = "m".repeat(5000);
  const conditions = list(20, () => ({ reason: "Broken", message }));
  const status = cut({
    lans: list(2000, (number) => lanOnNode(number, { conditions })),
    attachments: list(5000, attachmentOnNode),
    problems: conditions,
  });
  assert.ok(JSON.stringify(status).length < 1_400_000);
});

Deno.test("cutReport() says that there are more conditions than are shown", () => {
  const conditions = list(20, (number) => ({ reason: "Broken", message: String(number) }));
  const [lan] = cut({ lans: [lanOnNode(1, { conditions })] }).lans ?? [];
  assert.equal(lan?.conditions?.length, 16);
  assert.deepEqual(lan?.conditions?.at(-1), {
    reason: "MoreConditions",
    message: "5 more; see `k8slan status`",
  });
});

Deno.test("cutReport() makes one word of a reason that is none", () => {
  assert.deepEqual(problemsOf(cut({ problems: [{ reason: "Not a word", message: "m" }] })), [
    "Problem: m",
  ]);
});

Deno.test("cutReport() shortens names that are longer than any object has room for", () => {
  const long = { ...attachmentOnNode(1), containerID: "c".repeat(1000) };
  const pod = { namespace: "default", name: "pod", uid: "u".repeat(200) };
  const [kept] = cut({ attachments: [{ ...long, pod }] }).attachments ?? [];
  assert.deepEqual([kept?.containerID.length, kept?.pod?.uid?.length], [256, 128]);
});

const CLIPPED: readonly (readonly [string, string, number, string])[] = [
  ["short text", "abc", 3, "abc"],
  ["long text", "abcd", 3, "abc"],
  ["a character of two halves whole or not at all", "ab😀", 3, "ab"],
  ["a lone half as what the API server would store", "a\ud83d", 3, "a\ufffd"],
];

for (const [what, text, most, expected] of CLIPPED) {
  Deno.test(`clip() gives ${what}`, () => assert.equal(clip(text, most), expected));
}
