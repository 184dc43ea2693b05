/** What a real API server makes of our CustomResourceDefinitions, row by row as our own schemas. */

import assert from "node:assert/strict";
import { validateLan } from "../../src/api/lan.ts";
import { lanNodeStatusSchema } from "../../src/api/lan_node.ts";
import { API_VERSION } from "../../src/api/names.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { ApiServer } from "../support/api_server.ts";
import {
  LAN_CORPUS,
  LAN_UPDATES,
  lanWith,
  type LooseLan,
  NOT_LANS,
} from "../support/lan_corpus.ts";
import { installLanCrd, installLanNodeCrd } from "../support/lan_crd.ts";
import { LAN_NODE_CORPUS } from "../support/lan_node_corpus.ts";
import { LAN_STATUS_CORPUS } from "../support/lan_status_corpus.ts";
import { type RawAnswer, RawKube, type RawObject, refusedFields } from "../support/raw_kube.ts";

const ROOT = `/apis/${API_VERSION}`;
const LANS = `${ROOT}/namespaces/k8slan-system/lans`;
const NODES = `${ROOT}/lannodes`;
const MERGE = "application/merge-patch+json";
const NODE = { apiVersion: API_VERSION, kind: "LANNode", metadata: { name: "worker1" } };

let server: ApiServer;
let kube: RawKube;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  kube = new RawKube(server.access());
  using api = new FetchKubeApi(server.access(), { userAgent: "test" });
  await installLanCrd(api);
  await installLanNodeCrd(api);
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: "k8slan-system" } };
  await kube.must({ method: "POST", path: "/api/v1/namespaces", body });
});

Deno.test.afterAll(async () => {
  kube[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** The server says so when it left rules unchecked because of other faults. */
const RULES_UNCHECKED = "<nil>";

/** Whether exactly the expected fields were refused; a "*" last stands for any or no continuation. */
function sameFields(answer: RawAnswer, expected: readonly string[]): boolean {
  const found = refusedFields(answer).filter((field) => field !== RULES_UNCHECKED);
  const fits = (field: string, pattern: string) =>
    pattern.endsWith("*") ? field.startsWith(pattern.slice(0, -1)) : field === pattern;
  return found.every((field) => expected.some((pattern) => fits(field, pattern))) &&
    [...new Set(expected)].every((pattern) => found.some((field) => fits(field, pattern)));
}

/** Asks about all rows; what differs, with what was expected and what came. */
async function differences<Row extends { readonly name: string }>(
  rows: readonly Row[],
  ask: (row: Row) => Promise<RawAnswer>,
  expected: (row: Row) => readonly string[],
): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const row of rows) {
    const answer = await ask(row);
    if (!sameFields(answer, expected(row))) {
      found.push([row.name, expected(row), refusedFields(answer), answer.body.message]);
    }
  }
  return found;
}

async function makeLan(lan: unknown): Promise<RawObject> {
  return await kube.must({ method: "POST", path: LANS, body: lan });
}

async function deleteLans(): Promise<void> {
  await kube.must({ method: "DELETE", path: LANS });
}

Deno.test("the CRD of LANs takes and refuses each row of the corpus, naming the same fields", async () => {
  const dryRun = (row: { lan: unknown }) =>
    kube.ask({ method: "POST", path: `${LANS}?dryRun=All`, body: row.lan });
  const differing = await differences(
    LAN_CORPUS,
    dryRun,
    (row) => row.server?.bad ?? row.bad,
  );
  assert.deepEqual(differing, []);
});

/** What the server says of a field: what is wrong, and what was expected unless that is plain. */
const REASON =
  /^(Required value(: .+)?|(Duplicate value|Too long): .+|(Invalid value|Unsupported value|Too many): .+: .+)$/s;

Deno.test("the CRD of LANs has a reason for each field that it refuses", async () => {
  const silent: unknown[] = [];
  for (const { name, lan, bad, server } of LAN_CORPUS) {
    if ((server?.bad ?? bad).length === 0) continue;
    const { body } = await kube.ask({ method: "POST", path: `${LANS}?dryRun=All`, body: lan });
    for (const { field, message } of body.details.causes) {
      if (field === RULES_UNCHECKED) continue;
      const isSaid = REASON.test(message) && body.message.includes(`${field}: ${message}`);
      if (!isSaid) silent.push([name, field, message, body.message]);
    }
  }
  assert.deepEqual(silent, []);
});

Deno.test("the CRD of LANs refuses what is no LAN at all", async () => {
  // What the server sets itself, whatever is sent, or drops.
  const ignored = ["unknown metadata", "a uid with a colon", "an empty uid"];
  for (const { name, lan } of NOT_LANS) {
    const path = `${LANS}?dryRun=All`;
    const { status } = await kube.ask({ method: "POST", path, body: lan ?? null });
    assert.equal(status >= 400 && status < 500, !ignored.includes(name), `${name}: ${status}`);
  }
});

Deno.test("the CRD of LANs allows and refuses updates as the corpus says", async () => {
  const differing = await differences(LAN_UPDATES, async ({ from, to }) => {
    const { metadata } = await makeLan(from);
    const { name, resourceVersion } = metadata;
    const body = { ...to, metadata: { ...Object(to["metadata"]), resourceVersion } };
    const answer = await kube.ask({ method: "PUT", path: `${LANS}/${name}?dryRun=All`, body });
    await deleteLans();
    return answer;
  }, ({ bad }) => bad);
  assert.deepEqual(differing, []);
});

Deno.test("the CRD of LANs applies the defaults that validateLan() applies", async () => {
  const { spec } = await makeLan(lanWith());
  await deleteLans();
  const result = validateLan(lanWith());
  assert.ok("lan" in result);
  assert.deepEqual(spec, result.lan.spec);
});

Deno.test("the CRDs keep nothing of a LAN or LANNode that they do not know", async () => {
  const unknown = JSON.parse(
    '{"__proto__": {"vni": 7}, "constructor": {"prototype": {}}, "x": [[[1]]]}',
  );
  const lan = await makeLan({ ...lanWith(unknown), ...unknown });
  await deleteLans();
  assert.deepEqual(Object.keys(lan).sort(), ["apiVersion", "kind", "metadata", "spec"]);
  assert.deepEqual(lan.spec, { ...(await stored(lanWith())).spec });
  const node = await kube.must({
    method: "POST",
    path: `${NODES}?dryRun=All`,
    body: { ...NODE, ...unknown, spec: { a: 1 } },
  });
  assert.deepEqual(Object.keys(node).sort(), ["apiVersion", "kind", "metadata"]);
});

async function stored(lan: unknown): Promise<RawObject> {
  return await kube.must({ method: "POST", path: `${LANS}?dryRun=All`, body: lan });
}

const HOSTILE: readonly (readonly [name: string, body: string])[] = [
  ["lists 100,000 deep", nested("[", "]", 100_000)],
  ["objects 100,000 deep", nested('{"a":', "}", 100_000)],
  ["text of 4 MiB", JSON.stringify(lanWith({ bridge: "a".repeat(4 << 20) }))],
  ["a million fields", lanText(`{${'"a":0,'.repeat(1_000_000)}"b":0}`)],
  ["YAML that repeats itself", "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b]"],
  ["JSON that ends in the midst", JSON.stringify(lanWith()).slice(0, -3)],
  ["a number of 10,000 digits", lanText(`{"vni": ${"9".repeat(10_000)}}`)],
  ["a field twice", JSON.stringify(lanWith()).replace('"vni":222', '"vni":222,"vni":0')],
];

function nested(open: string, close: string, depth: number): string {
  return lanText(`{"x": ${open.repeat(depth)}1${close.repeat(depth)}}`);
}

function lanText(spec: string): string {
  return JSON.stringify(lanWith()).replace(/"spec":.*/, `"spec":${spec}}`);
}

for (const [name, body] of HOSTILE) {
  Deno.test(`the API server stores no hostile LAN: ${name}`, async () => {
    const { status } = await kube.ask({ method: "POST", path: LANS, body });
    assert.ok(status >= 400 && status < 500, `${status}`);
    assert.deepEqual((await kube.must({ path: LANS })).items, []);
  });
}

Deno.test("the CRD of LANNodes and lanNodeStatusSchema take and refuse the same rows", async () => {
  await kube.must({ method: "POST", path: NODES, body: NODE });
  const path = `${NODES}/worker1/status?dryRun=All`;
  const differing = await differences(
    LAN_NODE_CORPUS,
    ({ status }) => kube.ask({ method: "PATCH", path, contentType: MERGE, body: { status } }),
    ({ bad }) => bad.map((path) => path === "" ? "status" : `status.${path}`),
  );
  await kube.must({ method: "DELETE", path: `${NODES}/worker1` });
  assert.deepEqual(differing, []);
  for (const { name, status, bad } of LAN_NODE_CORPUS) {
    const { error } = lanNodeStatusSchema.safeParse(status);
    const paths = new Set(error?.issues.map((issue) => pathText(issue.path)));
    assert.deepEqual([...paths], bad, name);
  }
});

Deno.test("the CRD of LANs takes and refuses the same migrations as lanStatusSchema", async () => {
  await makeLan(lanWith());
  const path = `${LANS}/lan-test/status?dryRun=All`;
  const differing = await differences(
    LAN_STATUS_CORPUS,
    ({ status }) => kube.ask({ method: "PATCH", path, contentType: MERGE, body: { status } }),
    ({ bad }) => bad.map((path) => `status.${path}`),
  );
  await deleteLans();
  assert.deepEqual(differing, []);
});

function pathText(path: readonly PropertyKey[]): string {
  return path.map((step) => typeof step === "number" ? `[${step}]` : `.${String(step)}`).join("")
    .replace(/^\./, "");
}

Deno.test("a LANNode's LANs are one for each UID", async () => {
  await kube.must({ method: "POST", path: NODES, body: NODE });
  const lan = { namespace: "lab", name: "a", uid: "u1", attached: 0, ready: true };
  const answer = await kube.ask({
    method: "PATCH",
    path: `${NODES}/worker1/status`,
    contentType: MERGE,
    body: { status: { version: "0.1.0", attached: 0, lans: [lan, lan] } },
  });
  await kube.must({ method: "DELETE", path: `${NODES}/worker1` });
  assert.ok(sameFields(answer, ["status.lans[1]"]), JSON.stringify(refusedFields(answer)));
});

const READY = {
  type: "Ready",
  status: "True",
  reason: "Ready",
  message: "It is",
  lastTransitionTime: "2026-01-02T03:04:05Z",
};

Deno.test("the spec of a LAN and its status are written apart", async () => {
  const { metadata: { resourceVersion: first } } = await makeLan(lanWith());
  const path = `${LANS}/lan-test`;
  const status = { spokes: 2, attached: 1, nodes: 1, conditions: [READY] };
  const both = (version: string, spec: LooseLan) => ({
    ...lanWith(spec, { resourceVersion: version }),
    status,
  });
  const bySpec = await kube.must({ method: "PUT", path, body: both(first, { mtu: 1400 }) });
  assert.equal(bySpec.status, undefined);
  assert.equal(bySpec.spec.mtu, 1400);
  assert.equal(bySpec.metadata.generation, 2);
  const version: string = bySpec.metadata.resourceVersion;
  const byStatus = await kube.must({
    method: "PUT",
    path: `${path}/status`,
    body: both(version, { mtu: 9000 }),
  });
  await deleteLans();
  assert.deepEqual(byStatus.status, status);
  assert.equal(byStatus.spec.mtu, 1400);
  assert.equal(byStatus.metadata.generation, 2);
});

Deno.test("a LANNode's status is not written with its metadata", async () => {
  const status = { version: "0.1.0", attached: 0 };
  const made = await kube.must({ method: "POST", path: NODES, body: { ...NODE, status } });
  const path = `${NODES}/worker1`;
  const body = { metadata: { labels: { a: "b" } }, status };
  const patched = await kube.must({ method: "PATCH", path, contentType: MERGE, body });
  const written = await kube.must({
    method: "PATCH",
    path: `${path}/status`,
    contentType: MERGE,
    body: { metadata: { labels: { a: "c" } }, status },
  });
  await kube.must({ method: "DELETE", path });
  assert.deepEqual([made.status, patched.status, written.status], [undefined, undefined, status]);
  assert.deepEqual(written.metadata.labels, { a: "b" });
});

async function table(path: string): Promise<{ names: string[]; wide: string[]; cells: unknown[] }> {
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const { columnDefinitions, rows } = await kube.must({ path, accept });
  const named = (priority: number) =>
    columnDefinitions.filter((column: RawObject) => column.priority === priority)
      .map(({ name }: RawObject) => name);
  return { names: named(0), wide: named(1), cells: rows[0].cells };
}

Deno.test("kubectl get shows of LANs what matters", async () => {
  await makeLan(lanWith());
  const path = `${LANS}/lan-test/status`;
  const conditions = [READY, { ...READY, type: "Connected", status: "Unknown" }];
  const status = { spokes: 2, attached: 1, nodes: 1, conditions };
  await kube.must({ method: "PATCH", path, contentType: MERGE, body: { status } });
  const { names, wide, cells } = await table(LANS);
  await deleteLans();
  assert.deepEqual(names, [
    ...["Name", "VNI", "Spokes", "Attached", "Nodes", "Ready", "Connected", "Age"],
  ]);
  assert.deepEqual(wide, ["Netns", "Reason"]);
  assert.deepEqual(cells.toSpliced(7, 1), [
    ...["lan-test", 222, 2, 1, 1, "True", "Unknown", "knlvrf", "Ready"],
  ]);
});

Deno.test("kubectl get shows of LANNodes what matters", async () => {
  await kube.must({ method: "POST", path: NODES, body: NODE });
  const status = { version: "0.1.0", attached: 3 };
  const path = `${NODES}/worker1`;
  await kube.must({
    method: "PATCH",
    path: `${path}/status`,
    contentType: MERGE,
    body: { status },
  });
  const { names, cells } = await table(NODES);
  await kube.must({ method: "DELETE", path });
  assert.deepEqual(names, ["Name", "Attached", "Version", "Age"]);
  assert.deepEqual(cells.slice(0, 3), ["worker1", 3, "0.1.0"]);
});
