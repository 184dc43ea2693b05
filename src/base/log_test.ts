import assert from "node:assert/strict";
import { createLog, type LogLevel } from "./log.ts";

const NOON = new Date("2026-01-02T12:00:00Z");

function recorded(options: { readonly level?: LogLevel } = {}) {
  const lines: string[] = [];
  const log = createLog({ ...options, sink: (line) => lines.push(line), now: () => NOON });
  return { log, lines, records: () => lines.map((line): unknown => JSON.parse(line)) };
}

Deno.test("createLog() writes one JSON object a record, time, level and message first", () => {
  const { log, lines } = recorded();
  log.warn('Line one\n"two"', { lan: "demo" });
  assert.deepEqual(lines, [
    '{"time":"2026-01-02T12:00:00.000Z","level":"warn","msg":"Line one\\n\\"two\\"","lan":"demo"}',
  ]);
});

Deno.test("createLog() keeps records of its level and above", () => {
  const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];
  for (const [at, level] of levels.entries()) {
    const { log, records } = recorded({ level });
    for (const each of levels) log[each](each);
    assert.deepEqual(
      records(),
      levels.slice(at).map((each) => ({ time: NOON.toISOString(), level: each, msg: each })),
    );
  }
});

Deno.test("createLog() leaves debug records out unless asked", () => {
  const { log, lines } = recorded();
  log.debug("Hidden");
  log.info("Shown");
  assert.equal(lines.length, 1);
});

Deno.test("Log.with() binds fields for the new log only; a record's own fields win", () => {
  const { log, records } = recorded();
  const bound = log.with({ lan: "demo", spoke: "pod1" }).with({ spoke: "pod2" });
  bound.info("Bound");
  bound.info("Own", { lan: "other" });
  log.info("Plain");
  const time = NOON.toISOString();
  assert.deepEqual(records(), [
    { time, level: "info", msg: "Bound", lan: "demo", spoke: "pod2" },
    { time, level: "info", msg: "Own", lan: "other", spoke: "pod2" },
    { time, level: "info", msg: "Plain" },
  ]);
});

Deno.test("createLog() writes errors with their causes and big numbers as text", () => {
  const { log, records } = recorded();
  log.error("Failed", {
    error: new Error("outer", { cause: new Error("inner") }),
    bytes: 12n,
    nested: { error: new TypeError("deep") },
  });
  assert.deepEqual(records(), [{
    time: NOON.toISOString(),
    level: "error",
    msg: "Failed",
    error: "outer: inner",
    bytes: "12",
    nested: { error: "deep" },
  }]);
});
