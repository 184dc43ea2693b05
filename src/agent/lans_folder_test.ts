import assert from "node:assert/strict";
import { LAN_CORPUS, lanWith, NOT_LANS } from "../../tests/support/lan_corpus.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { lanName } from "../plan/lan_plan.ts";
import type { LansReading } from "./lan_source.ts";
import { LansFolder } from "./lans_folder.ts";

const TIMES = { settleMs: 1, pollMs: 60_000, lookMs: 5 };

interface LanText {
  readonly vni?: number | string;
  readonly metadata?: string;
}

/** A LAN file's text. */
function text(name: string, { vni = 222, metadata = "" }: LanText = {}): string {
  return `apiVersion: lan.k8slan.io/v1beta1
kind: LAN
metadata: { name: ${name}, ${metadata} }
spec: { ns: ${name}, bridge: br, vxlan: vx, vni: ${vni}, spokes: [${name}-1] }
`;
}

/** A folder of LAN files, and the clock that dates what is first seen there. */
class Files implements Disposable {
  readonly log = new LogRecorder();
  readonly path: string;
  readonly firstSeenPath: string;
  time = Date.UTC(2026, 0, 31);
  folder: LansFolder;
  readonly #dir = new TempDir();

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.path = `${this.#dir.path}/lans`;
    this.firstSeenPath = `${this.#dir.path}/first-seen.json`;
    Deno.mkdirSync(this.path);
    for (const [name, content] of Object.entries(files)) this.write(name, content);
    this.folder = this.reopen();
  }

  /** As an agent does that starts anew. */
  reopen(): LansFolder {
    const now = () => new Date(this.time);
    return this.folder = new LansFolder(this.path, this.firstSeenPath, this.log, TIMES, now);
  }

  write(name: string, content: string): void {
    Deno.writeTextFileSync(`${this.path}/${name}`, content);
  }

  remove(name: string): void {
    Deno.removeSync(`${this.path}/${name}`);
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

const names = ({ lans }: LansReading) => lans.map(lanName);
const vnis = ({ lans }: LansReading) => lans.map(({ spec }) => spec.vni);
const reasons = ({ problems }: LansReading) => problems.map(({ reason }) => reason);

Deno.test("read() finds the LANs of all files, whatever number of them a file has", () => {
  using files = new Files({
    "b.yml": text("b", { vni: 2 }),
    "a.yaml": `${text("a", { vni: 1 })}---\n${text("c", { vni: 3 })}`,
    "d.json": JSON.stringify({
      apiVersion: "lan.k8slan.io/v1beta1",
      kind: "LAN",
      metadata: { name: "d" },
      spec: { ns: "d", bridge: "br", vxlan: "vx", vni: 4, spokes: [] },
    }),
  });
  const reading = files.folder.read();
  assert.deepEqual(names(reading), ["default/a", "default/c", "default/b", "default/d"]);
  assert.deepEqual(reading.problems, []);
});

Deno.test("read() of an empty folder finds nothing, and nothing wrong", () => {
  using files = new Files();
  assert.deepEqual(files.folder.read(), { lans: [], problems: [] });
});

for (const name of [".a.yaml", "a.yaml~", "a.yaml.swp", "README", "a.yaml.bak"]) {
  Deno.test(`read() passes over "${name}"`, () => {
    using files = new Files({ [name]: "neither {YAML nor LAN" });
    assert.deepEqual(files.folder.read(), { lans: [], problems: [] });
  });
}

Deno.test("read() passes over a folder whose name is that of a file", () => {
  using files = new Files();
  Deno.mkdirSync(`${files.path}/a.yaml`);
  assert.deepEqual(files.folder.read(), { lans: [], problems: [] });
});

Deno.test("read() follows a link to a file", () => {
  using files = new Files({ "a.txt": text("a") });
  Deno.symlinkSync("a.txt", `${files.path}/a.yaml`);
  assert.deepEqual(names(files.folder.read()), ["default/a"]);
});

const slips: readonly (readonly [string, (files: Files) => void, string, RegExp])[] = [
  [
    "no YAML any more",
    (files) => files.write("a.yaml", "spec: {{{"),
    "InvalidLan",
    /a\.yaml:1: is not YAML/,
  ],
  [
    "no valid LAN any more",
    (files) => files.write("a.yaml", text("a", { vni: 0 })),
    "InvalidLan",
    /a\.yaml:4: spec\.vni must be at least 1, found 0/,
  ],
  [
    "too large",
    (files) => files.write("a.yaml", `${text("a", { vni: 9 })}#${"x".repeat(MAX_MESSAGE_BYTES)}`),
    "UnreadableFile",
    /a\.yaml": it has \d+ bytes, more than the 1048576 a file may have/,
  ],
  [
    "a link to nowhere",
    (files) => {
      files.remove("a.yaml");
      Deno.symlinkSync("nowhere", `${files.path}/a.yaml`);
    },
    "UnreadableFile",
    /Cannot read ".*a\.yaml"/,
  ],
  [
    "a link to a folder",
    (files) => {
      files.remove("a.yaml");
      Deno.symlinkSync(".", `${files.path}/a.yaml`);
    },
    "UnreadableFile",
    /it is not a regular file/,
  ],
  [
    "a pipe",
    (files) => {
      files.remove("a.yaml");
      assert.ok(
        new Deno.Command("mkfifo", { args: [`${files.path}/a.yaml`] }).outputSync().success,
      );
    },
    "UnreadableFile",
    /it is not a regular file/,
  ],
];

for (const [what, slip, reason, says] of slips) {
  Deno.test(`read() takes what a file last said when it is ${what}`, () => {
    using files = new Files({ "a.yaml": text("a"), "b.yaml": text("b", { vni: 223 }) });
    files.folder.read();
    slip(files);
    const reading = files.folder.read();
    assert.deepEqual(vnis(reading), [222, 223]);
    assert.deepEqual(new Set(reasons(reading)), new Set([reason]));
    assert.match(reading.problems[0]!.message, says);
  });
}

Deno.test("read() takes the valid LANs of a file that was never without fault", () => {
  using files = new Files({ "a.yaml": `${text("a")}---\n${text("b", { vni: "x" })}` });
  const reading = files.folder.read();
  assert.deepEqual(names(reading), ["default/a"]);
  assert.deepEqual(reasons(reading), ["InvalidLan"]);
});

Deno.test("read() tells everything that is wrong with a file", () => {
  using files = new Files({ "a.yaml": text("a_b", { vni: -1 }) });
  const messages = files.folder.read().problems.map(({ message }) => message);
  for (const path of ["metadata.name", "spec.ns", "spec.vni", "spec.spokes[0]"]) {
    assert.ok(messages.some((message) => message.includes(`: ${path} must be`)), path);
  }
});

Deno.test("read() has no LAN of any bad row of the corpus, and names file and field", () => {
  using files = new Files({ "good.json": JSON.stringify(lanWith({}, { name: "good" })) });
  const rows = [...LAN_CORPUS, ...NOT_LANS].flatMap((row, at) => {
    const content: string | undefined = JSON.stringify(row.lan);
    // A file without content says nothing, which is no fault.
    const isSaid = row.bad.length > 0 && content !== undefined && content !== "null";
    return isSaid ? [{ ...row, file: `${at}.json`, content }] : [];
  });
  for (const { file, content } of rows) files.write(file, content);
  const { lans, problems } = files.folder.read();
  assert.deepEqual(lans.map(lanName), ["k8slan-system/good"]);
  assert.deepEqual([...new Set(problems.map(({ reason }) => reason))], ["InvalidLan"]);
  for (const { name, bad, file } of rows) {
    const said = problems.map(({ message }) => message)
      .filter((message) => message.includes(`/${file}:`)).join("\n");
    assert.match(said, /^[\x20-\x7e…\n]+$/, name);
    // Of an object of another kind nothing else is worth saying.
    const kinds = bad.filter((path) => path === "apiVersion" || path === "kind");
    for (const path of kinds.length > 0 ? kinds : bad) {
      assert.ok(said.includes(` ${path.replace(/\*$/, "")}`), `${name}: ${path} in ${said}`);
    }
  }
});

Deno.test("read() takes a file again as soon as it is right", () => {
  using files = new Files({ "a.yaml": text("a") });
  files.folder.read();
  files.write("a.yaml", "{");
  files.folder.read();
  files.write("a.yaml", text("a", { vni: 300 }));
  assert.deepEqual(vnis(files.folder.read()), [300]);
});

Deno.test("read() has no LAN of a file that was removed", () => {
  using files = new Files({ "a.yaml": text("a"), "b.yaml": text("b", { vni: 223 }) });
  files.folder.read();
  files.remove("a.yaml");
  assert.deepEqual(names(files.folder.read()), ["default/b"]);
});

Deno.test("read() has no LAN that was taken out of its file", () => {
  using files = new Files({ "a.yaml": `${text("a")}---\n${text("b", { vni: 223 })}` });
  files.folder.read();
  files.write("a.yaml", text("a"));
  assert.deepEqual(names(files.folder.read()), ["default/a"]);
});

Deno.test("read() counts the first of two files with one LAN, and names both", () => {
  using files = new Files({ "z.yaml": text("a", { vni: 2 }), "m.yaml": text("a", { vni: 1 }) });
  const reading = files.folder.read();
  assert.deepEqual(vnis(reading), [1]);
  assert.deepEqual(reasons(reading), ["DuplicateLan"]);
  assert.match(
    reading.problems[0]!.message,
    /LAN "default\/a" is defined in "m\.yaml" and again in "z\.yaml"; the first counts/,
  );
});

Deno.test("read() takes LANs of one name in two namespaces as two", () => {
  using files = new Files({
    "a.yaml": text("a", { metadata: "namespace: one" }),
    "b.yaml": text("a", { metadata: "namespace: two" }),
  });
  assert.deepEqual(names(files.folder.read()), ["one/a", "two/a"]);
});

Deno.test("read() throws when the folder is not there", () => {
  using files = new Files();
  Deno.removeSync(files.path);
  assert.throws(() => files.folder.read(), (error) => {
    assert.ok(error instanceof Error && error.cause instanceof Deno.errors.NotFound);
    return error.message === `Cannot read "${files.path}"`;
  });
});

const dates = ({ lans }: LansReading) =>
  Object.fromEntries(lans.map((lan) => [lanName(lan), lan.metadata.creationTimestamp]));
const DAY = 86_400_000;

Deno.test("read() dates a LAN when it is first seen, over a restart", () => {
  using files = new Files({ "a.yaml": text("a") });
  files.folder.read();
  files.time += DAY;
  files.write("b.yaml", text("b", { vni: 223 }));
  const expected = {
    "default/a": "2026-01-31T00:00:00.000Z",
    "default/b": "2026-02-01T00:00:00.000Z",
  };
  assert.deepEqual(dates(files.folder.read()), expected);
  files.time += DAY;
  assert.deepEqual(dates(files.reopen().read()), expected);
});

Deno.test("read() leaves the creation time that a file says", () => {
  using files = new Files({
    "a.yaml": text("a", { metadata: 'creationTimestamp: "2020-01-01T00:00:00Z"' }),
  });
  assert.deepEqual(dates(files.folder.read()), { "default/a": "2020-01-01T00:00:00Z" });
  assert.throws(() => Deno.statSync(files.firstSeenPath), Deno.errors.NotFound);
});

Deno.test("read() dates a LAN anew that was gone meanwhile", () => {
  using files = new Files({ "a.yaml": text("a") });
  files.folder.read();
  files.remove("a.yaml");
  files.folder.read();
  files.time += DAY;
  files.write("a.yaml", text("a"));
  assert.deepEqual(dates(files.folder.read()), { "default/a": "2026-02-01T00:00:00.000Z" });
});

Deno.test("read() keeps the date of a LAN whose file cannot be read after a restart", () => {
  using files = new Files({ "a.yaml": text("a") });
  files.folder.read();
  files.time += DAY;
  files.write("a.yaml", "{");
  assert.deepEqual(dates(files.reopen().read()), {});
  files.write("a.yaml", text("a"));
  assert.deepEqual(dates(files.folder.read()), { "default/a": "2026-01-31T00:00:00.000Z" });
});

Deno.test("read() works when the dates cannot be written, and says so", () => {
  using files = new Files({ "a.yaml": text("a") });
  Deno.mkdirSync(files.firstSeenPath);
  assert.deepEqual(names(files.folder.read()), ["default/a"]);
  assert.deepEqual(files.log.messages("warn"), ["Cannot remember when LANs were first seen"]);
});

Deno.test("LansFolder moves damaged dates aside", () => {
  using files = new Files({ "a.yaml": text("a") });
  Deno.writeTextFileSync(files.firstSeenPath, '{"default/a": "yesterday"}');
  assert.deepEqual(names(files.reopen().read()), ["default/a"]);
  assert.ok(Deno.statSync(`${files.firstSeenPath}.damaged`).isFile);
});

/** Watches while `run` runs; `run` gets the LANs that were read last. */
async function watching(files: Files, run: (seen: () => string[]) => Promise<void>) {
  const stop = new AbortController();
  let last: string[] = [];
  const watched = files.folder.watch(() => {
    try {
      last = names(files.folder.read());
    } catch {
      last = ["unreadable"];
    }
  }, stop.signal);
  try {
    await run(() => last);
  } finally {
    stop.abort();
    await watched;
  }
}

Deno.test("watch() tells of files that come, change and go", async () => {
  using files = new Files();
  await watching(files, async (seen) => {
    files.write("a.yaml", text("a"));
    await until("it came", () => seen().join() === "default/a");
    files.write("a.yaml", text("b"));
    await until("it changed", () => seen().join() === "default/b");
    files.remove("a.yaml");
    await until("it went", () => seen().length === 0);
  });
});

Deno.test("watch() tells of what changed before it began", async () => {
  using files = new Files({ "a.yaml": text("a") });
  await watching(files, async (seen) => {
    await until("it is seen", () => seen().join() === "default/a");
  });
});

Deno.test("watch() tells of a file that is renamed into the folder", async () => {
  using files = new Files();
  await watching(files, async (seen) => {
    Deno.writeTextFileSync(`${files.path}/../new`, text("a"));
    Deno.renameSync(`${files.path}/../new`, `${files.path}/a.yaml`);
    await until("it came", () => seen().join() === "default/a");
  });
});

/** Far from when the files of these tests were touched. */
const LATER = Date.UTC(2100, 0, 1);
const DATED = "creationTimestamp: 2026-01-01T00:00:00Z";

Deno.test("read() does not parse again what was not touched for a while", () => {
  using files = new Files({ "a.yaml": text("a", { metadata: DATED }), "b.yaml": "spec: {{{" });
  files.time = LATER;
  const [before, after] = [files.folder.read(), files.folder.read()];
  assert.equal(after.lans[0], before.lans[0]);
  assert.ok(reasons(after).includes("InvalidLan"));
  assert.deepEqual(after.problems, before.problems);
});

Deno.test("read() parses again what was touched just now, since it could change at the same time", () => {
  using files = new Files({ "a.yaml": text("a", { metadata: DATED }) });
  files.time = Date.now();
  const [before, after] = [files.folder.read(), files.folder.read()];
  assert.notEqual(after.lans[0], before.lans[0]);
});

for (const write of ["over it", "into its place"] as const) {
  Deno.test(`read() sees a file of the same length that is written ${write}`, () => {
    using files = new Files({ "a.yaml": text("a", { vni: 1 }) });
    files.time = LATER;
    assert.deepEqual(vnis(files.folder.read()), [1]);
    if (write === "over it") {
      // As much later as times of files can tell apart.
      Deno.utimeSync(`${files.path}/a.yaml`, new Date(0), new Date(0));
      files.write("a.yaml", text("a", { vni: 2 }));
    } else {
      files.write(".new", text("a", { vni: 2 }));
      Deno.renameSync(`${files.path}/.new`, `${files.path}/a.yaml`);
    }
    assert.deepEqual(vnis(files.folder.read()), [2]);
  });
}

Deno.test("read() tells again of a file that cannot be read, and reads it when it can", () => {
  using files = new Files({ "a.yaml": text("a") });
  files.time = LATER;
  files.folder.read();
  files.remove("a.yaml");
  Deno.symlinkSync("nowhere", `${files.path}/a.yaml`);
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(reasons(files.folder.read()), ["UnreadableFile"]);
  }
  files.write("nowhere", text("a", { vni: 3 }));
  assert.deepEqual(vnis(files.folder.read()), [3]);
});

Deno.test("watch() waits for a folder that is not there yet", async () => {
  using files = new Files();
  Deno.removeSync(files.path);
  await watching(files, async (seen) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    Deno.mkdirSync(files.path);
    files.write("a.yaml", text("a"));
    await until("it came", () => seen().join() === "default/a");
  });
});

Deno.test("watch() goes on with the folder that takes the place of a removed one", async () => {
  using files = new Files({ "a.yaml": text("a") });
  await watching(files, async (seen) => {
    await until("it is seen", () => seen().join() === "default/a");
    Deno.renameSync(files.path, `${files.path}.old`);
    await until("it is missed", () => seen().join() === "unreadable");
    Deno.mkdirSync(files.path);
    files.write("b.yaml", text("b"));
    await until("it is seen again", () => seen().join() === "default/b");
    files.write("b.yaml", text("c"));
    await until("it is watched again", () => seen().join() === "default/c");
  });
});

Deno.test("watch() goes on with the folder that a link leads to by now", async () => {
  using files = new Files({ "a.yaml": text("a") });
  const link = `${files.path}-link`;
  Deno.symlinkSync(files.path, link);
  const folder = new LansFolder(link, files.firstSeenPath, files.log, TIMES);
  const stop = new AbortController();
  let seen = "";
  const watched = folder.watch(() => seen = names(folder.read()).join(), stop.signal);
  try {
    await until("it is seen", () => seen === "default/a");
    Deno.mkdirSync(`${files.path}-2`);
    Deno.writeTextFileSync(`${files.path}-2/b.yaml`, text("b"));
    Deno.symlinkSync(`${files.path}-2`, `${link}.new`);
    Deno.renameSync(`${link}.new`, link);
    await until("the other is seen", () => seen === "default/b");
  } finally {
    stop.abort();
    await watched;
  }
});

Deno.test("watch() looks now and then, events or not", async () => {
  using files = new Files();
  const times = { ...TIMES, pollMs: 1 };
  const folder = new LansFolder(files.path, files.firstSeenPath, files.log, times);
  const stop = new AbortController();
  let looks = 0;
  const watched = folder.watch(() => looks++, stop.signal);
  await until("it looked", () => looks > 3);
  stop.abort();
  await watched;
});

Deno.test("watch() takes the steps of an editor together", async () => {
  using files = new Files();
  const times = { ...TIMES, settleMs: 100 };
  const folder = new LansFolder(files.path, files.firstSeenPath, files.log, times);
  const stop = new AbortController();
  let told = 0;
  const watched = folder.watch(() => told++, stop.signal);
  await until("what was there is told", () => told === 1);
  for (let step = 0; step < 10; step++) files.write("a.yaml", text(`a${step}`));
  await until("the steps are told", () => told > 1);
  await new Promise((resolve) => setTimeout(resolve, 150));
  stop.abort();
  await watched;
  // Each step has several events; a moment in which nothing runs may part them once.
  assert.ok(told <= 4, `told ${told} times`);
});

Deno.test("watch() ends at once when it was stopped before", async () => {
  using files = new Files();
  await files.folder.watch(() => {}, AbortSignal.abort());
});
