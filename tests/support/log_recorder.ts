/** A log that keeps what is written, for tests to look at. */

import { createLog, type Log, type LogFields } from "../../src/base/log.ts";

export interface LogRecord {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export class LogRecorder implements Log {
  readonly records: LogRecord[] = [];
  readonly #log = createLog({
    level: "debug",
    sink: (line) => this.records.push(JSON.parse(line)),
  });

  debug(message: string, fields?: LogFields): void {
    this.#log.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log.info(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log.warn(message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log.error(message, fields);
  }

  with(fields: LogFields): Log {
    return this.#log.with(fields);
  }

  /** The messages of one level, in order. */
  messages(level: "debug" | "info" | "warn" | "error"): string[] {
    return this.records.filter((record) => record.level === level).map(({ msg }) => msg);
  }
}
