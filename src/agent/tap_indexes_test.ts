import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { tapIndex } from "../plan/identity.ts";
import { TapIndexes } from "./tap_indexes.ts";

const NODE = "worker1";
const first = tapIndex(NODE, "pod1", 0);
const second = tapIndex(NODE, "pod1", 1);

function open(
  dir: TempDir,
  exists: (path: string) => boolean = () => false,
  log = new LogRecorder(),
) {
  return new TapIndexes(`${dir.path}/taps.json`, NODE, log, exists);
}

Deno.test("reserve() gives the first candidate, and writes nothing for it", () => {
  using dir = new TempDir();
  assert.equal(open(dir).reserve("pod1"), first);
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("reserve() gives a spoke the same index again", () => {
  using dir = new TempDir();
  const taps = open(dir);
  taps.reserve("pod1");
  assert.equal(taps.reserve("pod1"), first);
});

Deno.test("reserve() passes over an index that another spoke has", () => {
  using dir = new TempDir();
  const taps = open(dir);
  taps.inUse("other", first);
  assert.equal(taps.reserve("pod1"), second);
});

Deno.test("reserve() passes over an index whose device node is there", () => {
  using dir = new TempDir();
  assert.equal(open(dir, (path) => path === `/dev/tap${first}`).reserve("pod1"), second);
});

Deno.test("reserve() keeps to what it gave before when its device node is there by now", () => {
  using dir = new TempDir();
  open(dir, (path) => path === `/dev/tap${first}`).reserve("pod1");
  assert.equal(open(dir, () => true).reserve("pod1"), second);
});

Deno.test("reserve() keeps to what it passed over before", () => {
  using dir = new TempDir();
  const taps = open(dir);
  taps.inUse("other", first);
  taps.reserve("pod1");
  assert.equal(open(dir).reserve("pod1"), second);
});

Deno.test("reserve() gives nobody what a spoke had before, not even before that asks", () => {
  using dir = new TempDir();
  Deno.writeTextFileSync(`${dir.path}/taps.json`, JSON.stringify({ absent: 1 }));
  const taps = open(dir);
  taps.inUse("somebody", tapIndex(NODE, "absent", 0));
  assert.equal(taps.reserve("absent"), tapIndex(NODE, "absent", 1));
});

Deno.test("reserve() uses what is in use as the spoke's own", () => {
  using dir = new TempDir();
  const taps = open(dir);
  taps.inUse("pod1", second);
  assert.equal(taps.reserve("pod1"), second);
});

Deno.test("reserve() gives up when no candidate is free", () => {
  using dir = new TempDir();
  assert.throws(() => open(dir, () => true).reserve("pod1"), /No free tap index for spoke "pod1"/);
});

Deno.test("reserve() works when nothing can be remembered, and says so", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const taps = new TapIndexes(`${dir.path}/missing/taps.json`, NODE, log, () => false);
  taps.inUse("other", first);
  assert.equal(taps.reserve("pod1"), second);
  assert.deepEqual(log.messages("warn"), ["Cannot remember tap index"]);
});

for (
  const [what, text] of [
    ["no JSON", "{"],
    ["no object", "[1]"],
    ["no number", '{"pod1":"1"}'],
    ["a probe that is never written", '{"pod1":0}'],
  ] as const
) {
  Deno.test(`TapIndexes moves a damaged file aside: ${what}`, () => {
    using dir = new TempDir();
    const path = `${dir.path}/taps.json`;
    Deno.writeTextFileSync(path, text);
    const log = new LogRecorder();
    assert.equal(open(dir, undefined, log).reserve("pod1"), first);
    assert.equal(Deno.readTextFileSync(`${path}.damaged`), text);
    assert.deepEqual(log.messages("warn"), ["Damaged file moved aside"]);
  });
}

Deno.test("TapIndexes works beside a damaged file that cannot be moved", () => {
  using dir = new TempDir();
  Deno.mkdirSync(`${dir.path}/taps.json`);
  Deno.mkdirSync(`${dir.path}/taps.json.damaged/full`, { recursive: true });
  const log = new LogRecorder();
  assert.equal(open(dir, undefined, log).reserve("pod1"), first);
  assert.deepEqual(log.messages("warn").at(-1), "Cannot move damaged file aside");
});

Deno.test("tapIndex() differs for nodes that share a machine", () => {
  assert.notEqual(tapIndex("worker1", "pod1", 0), tapIndex("worker2", "pod1", 0));
});
