import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import type { Attachment } from "./attachment.ts";
import { AttachmentRecords } from "./attachment_records.ts";

const LEAST: Attachment = {
  containerId: "c1",
  ifname: "net1",
  lanId: "uid-1",
  lan: "default/a",
  netnsPath: "/run/k8slan/netns/a",
  port: "_0123456789a.b",
  attach: "veth",
};
const MOST: Attachment = {
  ...LEAST,
  ifname: "net2",
  port: "pod1.b",
  spoke: "pod1",
  attach: "macvtap",
  target: { path: "/run/netns/pod1", identity: "4:4026532177" },
  details: {
    network: "net-a",
    pod: { namespace: "default", name: "p", uid: "u1" },
    mac: "02:00:00:00:00:01",
    mtu: 1426,
    tapIndex: 1048577,
    owner: { uid: 107, gid: 107 },
    ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }, { address: "2001:db8::7/64" }],
    routes: [{ dst: "0.0.0.0/0", gw: "192.0.2.1", mtu: 1400, priority: 5 }, { dst: "::/0" }],
  },
};

Deno.test("readAll() gives back what write() was given", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const records = new AttachmentRecords(dir.path, log);
  for (const attachment of [LEAST, MOST]) records.write(attachment);
  assert.deepEqual(
    new AttachmentRecords(dir.path, log).readAll(),
    new Map([["c1@net1", LEAST], ["c1@net2", MOST]]),
  );
  assert.deepEqual(log.records, []);
});

Deno.test("write() replaces the record of the same interface, and leaves no other file", () => {
  using dir = new TempDir();
  const records = new AttachmentRecords(dir.path, new LogRecorder());
  records.write(LEAST);
  records.write({ ...LEAST, lan: "default/b" });
  assert.equal(records.readAll().get("c1@net1")?.lan, "default/b");
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["c1@net1.json"]);
});

Deno.test("write() lets nobody else read", () => {
  using dir = new TempDir();
  new AttachmentRecords(`${dir.path}/new`, new LogRecorder()).write(LEAST);
  assert.equal(Deno.statSync(`${dir.path}/new`).mode! & 0o777, 0o700);
  assert.equal(Deno.statSync(`${dir.path}/new/c1@net1.json`).mode! & 0o777, 0o600);
});

Deno.test("remove() forgets one, and does not mind when there is none", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const records = new AttachmentRecords(dir.path, log);
  for (const attachment of [LEAST, MOST]) records.write(attachment);
  records.remove("c1@net1");
  records.remove("c1@net1");
  assert.deepEqual([...records.readAll().keys()], ["c1@net2"]);
  assert.deepEqual(log.records, []);
});

for (
  const [what, text] of [
    ["half a file", '{"containerId":"c'],
    ["nothing", ""],
    ["something else", '{"hello":1}'],
    ["a value of the wrong kind", JSON.stringify({ ...LEAST, attach: "bridge" })],
  ] as const
) {
  Deno.test(`readAll() moves a record aside that is ${what}, and reads the others`, () => {
    using dir = new TempDir();
    const log = new LogRecorder();
    const records = new AttachmentRecords(dir.path, log);
    records.write(MOST);
    Deno.writeTextFileSync(`${dir.path}/bad@x.json`, text);
    assert.deepEqual([...records.readAll().keys()], ["c1@net2"]);
    assert.equal(Deno.readTextFileSync(`${dir.path}/bad@x.json.damaged`), text);
    assert.deepEqual(log.messages("warn"), ["Damaged file moved aside"]);
    records.readAll();
    assert.equal(log.records.length, 1);
  });
}

Deno.test("AttachmentRecords without a directory forgets everything, says so and throws never", () => {
  using dir = new TempDir();
  const file = `${dir.path}/file`;
  Deno.writeTextFileSync(file, "");
  const log = new LogRecorder();
  const records = new AttachmentRecords(file, log);
  records.write(LEAST);
  records.remove("c1@net1");
  assert.equal(records.readAll().size, 0);
  assert.deepEqual(log.messages("warn"), [
    "Attachments will not be remembered",
    "Cannot remember attachment",
    "Cannot forget attachment",
    "Cannot read what is remembered",
  ]);
});

Deno.test("write() to a full disk is logged and leaves the former record", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const records = new AttachmentRecords(dir.path, log);
  // Nothing can be renamed over a directory: the last step of writing fails, as all may.
  Deno.mkdirSync(`${dir.path}/c1@net1.json`);
  records.write(LEAST);
  assert.deepEqual(log.messages("warn"), ["Cannot remember attachment"]);
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["c1@net1.json"]);
});
