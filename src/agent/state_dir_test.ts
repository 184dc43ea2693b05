import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { writeAtomically } from "./atomic_file.ts";
import { prepareStateDir } from "./state_dir.ts";

Deno.test("prepareStateDir() makes the directory for nobody but its owner", () => {
  using dir = new TempDir();
  const path = `${dir.path}/a/b`;
  prepareStateDir(path, new LogRecorder());
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o700);
});

Deno.test("prepareStateDir() removes what a crash left, and nothing else", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  writeAtomically(`${dir.path}/a.json`, "{}");
  for (const name of [`b.json.${crypto.randomUUID()}.tmp`, "c.tmp", "d.json.damaged"]) {
    Deno.writeTextFileSync(`${dir.path}/${name}`, "");
  }
  prepareStateDir(dir.path, log);
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), [
    ...["a.json", "c.tmp", "d.json.damaged"],
  ]);
  assert.deepEqual(log.records, []);
});

Deno.test("prepareStateDir() says so when there can be no such directory, and throws never", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  Deno.writeTextFileSync(`${dir.path}/file`, "");
  prepareStateDir(`${dir.path}/file/state`, log);
  assert.match(JSON.stringify(log.records), /Cannot prepare state directory.*file\/state/);
});
