import assert from "node:assert/strict";
import type { Lan } from "../api/lan.ts";
import { LAN_NODES, LANS } from "../kube/resources.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import type { AttachmentOnNode } from "../api/lan_node.ts";
import { validateLan } from "../api/lan.ts";
import { LanAdmission } from "./webhook_admission.ts";

/** An API server with a LAN "default/a", and that LAN. */
async function stage(): Promise<{ readonly api: FakeKubeApi; readonly known: Lan }> {
  const api = new FakeKubeApi();
  const object = await api.create(LANS, {
    metadata: { name: "a", namespace: "default" },
    spec: seedLan().spec,
  });
  const validation = validateLan(object);
  assert.ok("lan" in validation);
  return { api, known: validation.lan };
}

/** What is decided on a LAN "default/b" with the same spec, if `known` is all that is known. */
async function decide(api: FakeKubeApi, ...known: Lan[]): Promise<string> {
  const log = new LogRecorder();
  const admission = new LanAdmission({
    api,
    log,
    known: () => ({ isSynced: true, lans: known, workloads: () => [] }),
  });
  const b = seedLan({}, "uid-b");
  const object = { ...b, metadata: { ...b.metadata, name: "b", namespace: "default" } };
  const ask = { uid: "1", operation: "CREATE", resource: "lans.lan.k8slan.io", object };
  return (await admission.decide(ask)).kind;
}

Deno.test("LanAdmission refuses for a LAN that is there", async () => {
  const { api, known } = await stage();
  assert.equal(await decide(api, known), "conflict");
  assert.equal(api.calls.filter((call) => call.startsWith("get")).length, 1);
});

Deno.test("LanAdmission refuses nobody for a LAN that has gone", async () => {
  const { api, known } = await stage();
  await api.delete(LANS, { name: "a", namespace: "default" });
  assert.equal(await decide(api, known), "allowed");
});

Deno.test("LanAdmission refuses nobody for what a LAN has given up", async () => {
  const { api, known } = await stage();
  await api.patch(LANS, { name: "a", namespace: "default" }, {
    type: "merge",
    body: { spec: { ns: "other", vni: 7, spokes: [] } },
  });
  assert.equal(await decide(api, known), "allowed");
});

Deno.test("LanAdmission refuses when the LAN in the way can't be read anew", async () => {
  const { api, known } = await stage();
  api.onCall = () => Promise.reject(new Error("away"));
  assert.equal(await decide(api, known), "conflict");
});

Deno.test("LanAdmission looks at few LANs anew for one answer", async () => {
  const { api } = await stage();
  const gone = Array.from({ length: 9 }, (_, at) => {
    const lan = seedLan({ ns: `n${at}`, vni: 222 + at, spokes: [] }, `uid-${at}`);
    return { ...lan, metadata: { ...lan.metadata, name: `g${at}` } };
  });
  const clashing = gone.map((lan) => ({ ...lan, spec: { ...lan.spec, vni: 222 } }));
  // Of those with one VNI the oldest alone is in the way, and once it has gone the next.
  assert.equal(await decide(api, ...clashing), "conflict");
  assert.equal(api.calls.filter((call) => call.startsWith("get")).length, 3);
});

Deno.test("LanAdmission asks the node anew before it keeps a spoke for a workload", async () => {
  const { api, known } = await stage();
  const attachment: AttachmentOnNode = {
    ...{ lanUid: known.metadata.uid, spoke: "pod1", ifname: "net1", containerID: "c1" },
    attach: "macvtap",
  };
  const workload = { ...attachment, node: "worker1" };
  const admission = new LanAdmission({
    ...{ api, log: new LogRecorder() },
    known: () => ({ isSynced: true, lans: [known], workloads: () => [workload] }),
  });
  const object = { ...known, spec: { ...known.spec, spokes: [] } };
  const ask = {
    ...{ uid: "1", operation: "UPDATE", resource: "lans.lan.k8slan.io", object, oldObject: known },
  };
  const decide = async () => (await admission.decide(ask)).kind;
  assert.equal(await decide(), "allowed", "the node has gone");
  await api.create(LAN_NODES, { metadata: { name: "worker1" } });
  const report = (attachments: readonly AttachmentOnNode[]) =>
    api.patch(LAN_NODES, { name: "worker1" }, {
      type: "merge",
      body: { status: { version: "1", attached: attachments.length, attachments } },
    });
  await report([attachment]);
  assert.equal(await decide(), "in-use");
  api.onCall = () => Promise.reject(new Error("away"));
  assert.equal(await decide(), "in-use", "the node cannot be asked");
  api.onCall = () => {};
  await report([]);
  assert.equal(await decide(), "allowed");
});
