/** Lines of bounded length from a connection. */

import { K8slanError } from "../base/errors.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";

const LINE_FEED = 10;
/** A usual request fits. More would be garbage that the process grows by: one for each connection. */
const CHUNK_BYTES = 4 * 1024;

export class LineReader {
  readonly #source: { read(buffer: Uint8Array): Promise<number | null> };
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(source: { read(buffer: Uint8Array): Promise<number | null> }) {
    this.#source = source;
  }

  /**
   * The next line without its end; undefined when the other side has closed, be it within a line.
   * Throws `K8slanError` "InvalidRequest" when the line is too long.
   */
  async next(): Promise<string | undefined> {
    for (;;) {
      const line = this.#takeLine();
      if (line !== undefined) return line;
      if (this.#length > MAX_MESSAGE_BYTES) {
        throw new K8slanError(
          "InvalidRequest",
          `The request is longer than ${MAX_MESSAGE_BYTES} bytes`,
        );
      }
      const count = await this.#source.read(this.#buffer);
      if (count === null) return undefined;
      this.#chunks.push(this.#buffer.slice(0, count));
      this.#length += count;
    }
  }

  /** Only the newest chunk can hold a line's end that was not seen yet. */
  #takeLine(): string | undefined {
    const last = this.#chunks.at(-1);
    const end = last?.indexOf(LINE_FEED) ?? -1;
    if (last === undefined || end < 0) return undefined;
    const parts = [...this.#chunks.slice(0, -1), last.subarray(0, end)];
    const bytes = new Uint8Array(this.#length - last.length + end);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const rest = last.subarray(end + 1);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    return this.#decoder.decode(bytes);
  }
}
