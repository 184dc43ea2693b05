/** Structured log: one JSON object per line on standard error. */

import { describe } from "./errors.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with `fields` on every record. */
  with(fields: LogFields): Log;
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level?: LogLevel;
  readonly sink?: (line: string) => void;
  readonly now?: () => Date;
  readonly fields?: LogFields;
}

/** A log that writes records of `level` (default info) and above to `sink` (default stderr). */
export function createLog(options: LogOptions = {}): Log {
  const level = options.level ?? "info";
  // deno-lint-ignore no-console -- the one place that writes logs
  const sink = options.sink ?? ((line: string) => console.error(line));
  const now = options.now ?? (() => new Date());
  const write = (at: LogLevel, message: string, fields?: LogFields) => {
    if (ORDER[at] < ORDER[level]) return;
    const record = { time: now(), level: at, msg: message, ...options.fields, ...fields };
    sink(JSON.stringify(record, plainValue));
  };
  return {
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
    with: (fields) => createLog({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

/** What JSON would lose (an error becomes `{}`) or refuse (a bigint throws), as text. */
function plainValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return describe(value);
  return typeof value === "bigint" ? value.toString() : value;
}
