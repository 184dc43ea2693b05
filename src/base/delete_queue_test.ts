import assert from "node:assert/strict";
import { enqueueDelete, forgetDelete, readDeletes } from "./delete_queue.ts";

class TempDir implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "k8slan-queue-" });
  readonly queue = `${this.path}/deletes`;

  names(): string[] {
    return Array.from(Deno.readDirSync(this.queue), (entry) => entry.name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const REQUEST = { op: "del", containerId: "c1", ifname: "net1", netns: "/run/netns/a" } as const;

Deno.test("enqueueDelete() makes the directory for root alone and leaves one whole file", () => {
  using temp = new TempDir();
  enqueueDelete(temp.queue, REQUEST);
  assert.deepEqual(temp.names(), ["c1@net1.json"]);
  assert.equal(Deno.statSync(temp.queue).mode! & 0o777, 0o700);
  assert.equal(Deno.statSync(`${temp.queue}/c1@net1.json`).mode! & 0o777, 0o600);
  assert.deepEqual(readDeletes(temp.queue), [
    { path: `${temp.queue}/c1@net1.json`, request: REQUEST },
  ]);
});

Deno.test("enqueueDelete() keeps one file per attachment, the newest", () => {
  using temp = new TempDir();
  enqueueDelete(temp.queue, REQUEST);
  enqueueDelete(temp.queue, { op: "del", containerId: "c1", ifname: "net1" });
  enqueueDelete(temp.queue, { ...REQUEST, ifname: "net2" });
  assert.deepEqual(readDeletes(temp.queue).map((file) => file.request), [
    { op: "del", containerId: "c1", ifname: "net1" },
    { ...REQUEST, ifname: "net2" },
  ]);
});

Deno.test("enqueueDelete() stays inside its directory whatever the names", () => {
  using temp = new TempDir();
  const odd = ["../../x", "..", "a/b", "é\x1b%\\", "x".repeat(15)];
  for (const ifname of odd) enqueueDelete(temp.queue, { ...REQUEST, ifname });
  enqueueDelete(temp.queue, { ...REQUEST, containerId: "c".repeat(128), ifname: "\u{1f600}abc" });
  assert.equal(temp.names().length, odd.length + 1);
  assert.deepEqual(
    readDeletes(temp.queue).map((file) => file.request.ifname).sort(),
    [...odd, "\u{1f600}abc"].sort(),
  );
});

Deno.test("enqueueDelete() throws where it can't write, and leaves nothing", () => {
  using temp = new TempDir();
  Deno.mkdirSync(`${temp.queue}/c1@net1.json`, { recursive: true });
  assert.throws(() => enqueueDelete(temp.queue, REQUEST));
  assert.deepEqual(temp.names(), ["c1@net1.json"]);
  Deno.writeTextFileSync(`${temp.path}/file`, "");
  assert.throws(() => enqueueDelete(`${temp.path}/file/deletes`, REQUEST));
});

Deno.test("forgetDelete() removes one attachment's file, and does nothing without one", () => {
  using temp = new TempDir();
  forgetDelete(temp.queue, REQUEST);
  enqueueDelete(temp.queue, REQUEST);
  enqueueDelete(temp.queue, { ...REQUEST, ifname: "net2" });
  forgetDelete(temp.queue, REQUEST);
  assert.deepEqual(temp.names(), ["c1@net2.json"]);
});

Deno.test("readDeletes() returns nothing where there is no directory", () => {
  assert.deepEqual(readDeletes("/nonexistent/deletes"), []);
});

Deno.test("readDeletes() puts files aside that it can't understand, and keeps the others", () => {
  using temp = new TempDir();
  enqueueDelete(temp.queue, REQUEST);
  const bad: Record<string, string> = {
    "empty.json": "",
    "half.json": '{"op":"del","conta',
    "array.json": "[]",
    "null.json": "null",
    "other.json": JSON.stringify({ ...REQUEST, op: "add" }),
    "number.json": JSON.stringify({ ...REQUEST, ifname: 1 }),
    "netns.json": JSON.stringify({ ...REQUEST, netns: {} }),
    "huge.json": JSON.stringify({ ...REQUEST, ifname: "x".repeat(20_000) }),
  };
  for (const [name, text] of Object.entries(bad)) {
    Deno.writeTextFileSync(`${temp.queue}/${name}`, text);
  }
  Deno.symlinkSync(`${temp.queue}/c1@net1.json`, `${temp.queue}/link.json`);
  Deno.writeTextFileSync(`${temp.queue}/.1-c2@net1.json`, "half written");
  assert.deepEqual(readDeletes(temp.queue).map((file) => file.request), [REQUEST]);
  const aside = [...Object.keys(bad), "link.json"].map((name) => `${name}.bad`);
  assert.deepEqual(temp.names(), [...aside, ".1-c2@net1.json", "c1@net1.json"].sort());
  assert.equal(readDeletes(temp.queue).length, 1);
});
