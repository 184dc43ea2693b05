import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { type Attachment, wantedAttachment } from "./attachment.ts";
import { AttachmentRecords } from "./attachment_records.ts";
import { Attachments } from "./attachments.ts";

const A1: Attachment = {
  ...{ containerId: "c1", ifname: "net1", lanId: "a", lan: "default/a", attach: "veth" },
  ...{ netnsPath: "/run/k8slan/netns/a", port: "s1.b", spoke: "s1" },
};
const A2: Attachment = { ...A1, containerId: "c2", port: "s2.b", spoke: "s2" };
const B1: Attachment = { ...A1, ifname: "net2", lanId: "b", lan: "default/b" };

function open(dir: TempDir) {
  const records = new AttachmentRecords(dir.path, new LogRecorder());
  return { records, attachments: new Attachments(records) };
}

Deno.test("put() and remove() keep the indexes and the records in step", () => {
  using dir = new TempDir();
  const { records, attachments } = open(dir);
  for (const attachment of [A1, A2, B1]) attachments.put(attachment);
  assert.deepEqual(attachments.lanIds(), ["a", "b"]);
  assert.deepEqual(attachments.ofLan("a"), [A1, A2]);
  assert.equal(attachments.get("c1@net2"), B1);
  attachments.remove(B1);
  assert.deepEqual(attachments.lanIds(), ["a"]);
  assert.equal(attachments.get("c1@net2"), undefined);
  assert.deepEqual([...attachments.all()], [A1, A2]);
  assert.deepEqual([...records.readAll().values()].length, 2);
});

Deno.test("restore() writes nothing", () => {
  using dir = new TempDir();
  const { records, attachments } = open(dir);
  attachments.restore(A1);
  assert.deepEqual([...attachments.all()], [A1]);
  assert.equal(records.readAll().size, 0);
});

Deno.test("put() replaces what the interface had before", () => {
  using dir = new TempDir();
  const { attachments } = open(dir);
  attachments.put(A1);
  const changed = { ...A1, port: "s9.b" };
  attachments.put(changed);
  assert.deepEqual(attachments.ofLan("a"), [changed]);
});

Deno.test("holder() is who has the spoke of that LAN", () => {
  using dir = new TempDir();
  const { attachments } = open(dir);
  for (const attachment of [A1, A2]) attachments.put(attachment);
  assert.equal(attachments.holder("a", "s2"), A2);
  assert.equal(attachments.holder("a", "s3"), undefined);
  assert.equal(attachments.holder("b", "s2"), undefined);
});

Deno.test("ofLan() of a LAN that nothing is attached to is empty", () => {
  using dir = new TempDir();
  assert.deepEqual(open(dir).attachments.ofLan("a"), []);
});

const DETAILS = {
  ...{ network: "n", mac: "02:00:00:00:00:01", mtu: 1300, ips: [], routes: [] },
  ...{ tapIndex: 1048577, owner: { uid: 1, gid: 2 } },
};
const { tapIndex: _, ...WITHOUT_INDEX } = DETAILS;

for (
  const [what, attachment, known] of [
    ["a veth", { ...A1, details: DETAILS }, true],
    ["a macvtap", { ...A1, attach: "macvtap", details: DETAILS }, true],
    ["what only its mark tells of", A1, false],
    ["a macvtap whose index is not known", {
      ...A1,
      attach: "macvtap",
      details: WITHOUT_INDEX,
    }, false],
  ] as const
) {
  Deno.test(`wantedAttachment() ${known ? "makes" : "does not guess"} ${what}`, () => {
    assert.equal(wantedAttachment(attachment, "worker1") !== undefined, known);
  });
}
