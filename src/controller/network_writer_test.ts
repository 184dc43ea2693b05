import { deepEqual, equal, rejects } from "node:assert/strict";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../kube/resources.ts";
import { networkMeta, wantedNetworks } from "./networks.ts";
import { type WriteContext, writeNetworks } from "./network_writer.ts";

function contextOf(api: FakeKubeApi): WriteContext & { readonly stop: AbortController } {
  const stop = new AbortController();
  return { api, signal: stop.signal, isLiving: () => true, wrote: () => {}, stop };
}

/** `count` that are wanted, in the namespace "red". */
function some(count: number) {
  const spokes = Array.from({ length: count }, (_, n) => `s${n}`);
  return wantedNetworks(seedLan({ spokes }, "uid-1"), ["red"]).slice(0, count);
}

Deno.test("writeNetworks() writes a part of what is very much, and tells the rest", async () => {
  const api = new FakeKubeApi();
  const diff = { create: some(250), repair: [], remove: [] };
  const result = await writeNetworks(diff, contextOf(api));
  deepEqual(result, { missing: new Set(), foreign: [], errors: [], rest: 50 });
  equal((await api.list(NETWORK_ATTACHMENT_DEFINITIONS)).items.length, 200);
});

Deno.test("writeNetworks() gives up early where everything fails, and says each fault once", async () => {
  const api = new FakeKubeApi();
  api.onCall = (verb) => {
    throw kubeErrorOf(verb, 500, "no");
  };
  const diff = { create: some(100), repair: [], remove: [] };
  const result = await writeNetworks(diff, contextOf(api));
  deepEqual(result.errors.length, 1);
  equal(result.rest, 100);
});

const ABSENCES: readonly (readonly [string, number, object])[] = [
  ["is not there", 404, { reason: "NotFound", details: { kind: "namespaces", name: "red" } }],
  [
    "goes",
    403,
    { reason: "Forbidden", details: { causes: [{ reason: "NamespaceTerminating", field: "" }] } },
  ],
];

for (const [what, status, answer] of ABSENCES) {
  Deno.test(`writeNetworks() names a namespace that ${what}`, async () => {
    const api = new FakeKubeApi();
    api.onCall = (verb) => {
      throw kubeErrorOf(verb, status, { kind: "Status", message: "no", ...answer });
    };
    const diff = { create: some(100), repair: [], remove: [] };
    const result = await writeNetworks(diff, contextOf(api));
    deepEqual([...result.missing], ["red"]);
    deepEqual(result.errors, []);
    equal(result.rest, 0);
  });
}

Deno.test("writeNetworks() takes what is gone already for deleted", async () => {
  const api = new FakeKubeApi();
  const [wanted] = some(1);
  const metadata = networkMeta(wanted!);
  const found = await api.create(NETWORK_ATTACHMENT_DEFINITIONS, { metadata });
  await api.delete(NETWORK_ATTACHMENT_DEFINITIONS, wanted!);
  const diff = { create: [], repair: [], remove: [found] };
  equal((await writeNetworks(diff, contextOf(api))).rest, 0);
  // Another one of that name is none of its business.
  await api.create(NETWORK_ATTACHMENT_DEFINITIONS, { metadata });
  equal((await writeNetworks(diff, contextOf(api))).rest, 0);
  equal((await api.list(NETWORK_ATTACHMENT_DEFINITIONS)).items.length, 1);
});

Deno.test("writeNetworks() ends with its signal", async () => {
  const api = new FakeKubeApi();
  const context = contextOf(api);
  context.stop.abort(new Error("stopped"));
  await rejects(writeNetworks({ create: some(3), repair: [], remove: [] }, context), /stopped/);
});
