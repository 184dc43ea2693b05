import assert from "node:assert/strict";
import { lanObject } from "../../tests/support/kube_objects.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { ClusterCache, type ClusterMemory } from "./cluster_cache.ts";

const MEMORY: ClusterMemory = {
  lans: [lanObject("a", "5", seedLan().spec)],
  held: [
    { lanUid: "u", spoke: "pod1", node: "worker2", pod: { namespace: "n", name: "p", uid: "x" } },
    { lanUid: "u", spoke: "pod2", node: "worker2" },
  ],
  migrations: [{
    ...{ lanUid: "u", spoke: "pod1" },
    from: { node: "worker2", namespace: "n", name: "p", uid: "x" },
    to: { namespace: "n", name: "q", uid: "y" },
  }],
  peers: [{ lanUid: "u", node: "worker2", vtep: "2001:db8::2" }],
};

Deno.test("ClusterCache.read() gives back what was written", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const path = `${dir.path}/cluster.json`;
  new ClusterCache(path, log).write(MEMORY);
  assert.deepEqual(new ClusterCache(path, log).read(), MEMORY);
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["cluster.json"]);
  assert.deepEqual(log.records, []);
});

Deno.test("ClusterCache.read() finds nothing where nothing was written", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  assert.equal(new ClusterCache(`${dir.path}/cluster.json`, log).read(), undefined);
  assert.deepEqual(log.records, []);
});

Deno.test("ClusterCache.read() takes in what was written before migrations and peers were remembered", () => {
  using dir = new TempDir();
  const path = `${dir.path}/cluster.json`;
  Deno.writeTextFileSync(path, '{"version":1,"lans":[],"held":[]}');
  assert.deepEqual(new ClusterCache(path, new LogRecorder()).read(), {
    ...{ lans: [], held: [], migrations: [], peers: [] },
  });
});

const damaged: readonly (readonly [string, string])[] = [
  ["an empty file", ""],
  ["half a file", '{"version":1,"lans":['],
  ["another version", '{"version":2,"lans":[],"held":[]}'],
  ["a LAN without metadata", '{"version":1,"lans":[{"apiVersion":"a","kind":"b"}],"held":[]}'],
  ["a LAN that is no object", '{"version":1,"lans":[null],"held":[]}'],
  [
    "a migration without a target",
    '{"version":1,"lans":[],"held":[],"migrations":[{"lanUid":"a","spoke":"b"}]}',
  ],
  ["a holder without a node", '{"version":1,"lans":[],"held":[{"lanUid":"a","spoke":"b"}]}'],
];

for (const [what, content] of damaged) {
  Deno.test(`ClusterCache.read() moves ${what} aside and goes on without`, () => {
    using dir = new TempDir();
    const log = new LogRecorder();
    const path = `${dir.path}/cluster.json`;
    Deno.writeTextFileSync(path, content);
    const cache = new ClusterCache(path, log);
    assert.equal(cache.read(), undefined);
    assert.equal(Deno.readTextFileSync(`${path}.damaged`), content);
    cache.write(MEMORY);
    assert.deepEqual(cache.read(), MEMORY);
  });
}

Deno.test("ClusterCache.read() does not take in a file that is too large to be ours", () => {
  using dir = new TempDir();
  const path = `${dir.path}/cluster.json`;
  Deno.writeTextFileSync(path, "");
  Deno.truncateSync(path, (64 << 20) + 1);
  assert.equal(new ClusterCache(path, new LogRecorder()).read(), undefined);
});

Deno.test("ClusterCache.write() leaves a file alone that says the same", () => {
  using dir = new TempDir();
  const path = `${dir.path}/cluster.json`;
  const log = new LogRecorder();
  new ClusterCache(path, log).write(MEMORY);
  const { ino } = Deno.statSync(path);
  const cache = new ClusterCache(path, log);
  cache.read();
  cache.write(structuredClone(MEMORY));
  assert.equal(Deno.statSync(path).ino, ino);
});

Deno.test("ClusterCache.write() says once that it cannot, and tries again", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const cache = new ClusterCache(`${dir.path}/not/there.json`, log);
  cache.write(MEMORY);
  cache.write(MEMORY);
  assert.deepEqual(log.messages("warn"), ["Cannot remember the cluster's LANs"]);
  Deno.mkdirSync(`${dir.path}/not`);
  cache.write(MEMORY);
  assert.deepEqual(cache.read(), MEMORY);
});
