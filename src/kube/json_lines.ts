/** One JSON value a line, from bytes that come in pieces. */

import { K8slanError } from "../base/errors.ts";

const NEWLINE = 0x0a;
const QUOTE_MAX = 80;

/** Keeps what is half come; never more than `maxBytes` of it. */
export class JsonLines {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The values that `chunk` completes. Throws K8slanError "ApiServerGarbled" for a line that is too
   * long or no JSON; nothing can be read after that.
   */
  push(chunk: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, end));
      const text = this.#take();
      if (text.trim() !== "") values.push(parseJson(text));
      from = end + 1;
    }
    // Copied, since the chunk's buffer is much larger than its rest may be.
    if (from < chunk.length) this.#keep(chunk.slice(from));
    return values;
  }

  /** To be called at the end of the bytes. Throws if they end within a line. */
  end(): void {
    if (this.#size > 0) throw garbled("it ended in the middle of a line", this.#take());
  }

  #keep(piece: Uint8Array): void {
    this.#size += piece.length;
    if (this.#size > this.#maxBytes) throw garbled(`a line is over ${this.#maxBytes} bytes`);
    if (piece.length > 0) this.#pieces.push(piece);
  }

  #take(): string {
    const text = decodePieces(this.#pieces, this.#size);
    this.#pieces = [];
    this.#size = 0;
    return text;
  }
}

/** The text that `pieces`, of `size` bytes together, make up. */
export function decodePieces(pieces: readonly Uint8Array[], size: number): string {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return new TextDecoder().decode(first);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return new TextDecoder().decode(bytes);
}

/** The JSON value in `text`. Throws K8slanError "ApiServerGarbled". */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw garbled("it is no JSON", text, error);
  }
}

function garbled(why: string, text?: string, cause?: unknown): K8slanError {
  const found = text === undefined ? "" : `, found ${JSON.stringify(text.slice(0, QUOTE_MAX))}`;
  return new K8slanError(
    "ApiServerGarbled",
    `The API server's answer can't be understood: ${why}${found}`,
    { retriable: true, cause },
  );
}
