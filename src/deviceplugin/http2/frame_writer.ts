/** The outgoing side of a connection: frames in the order in which they were made. */

/** What may wait to be sent to a client that does not read. */
const BYTES_MAX = 1024 * 1024;

export class FrameWriter {
  readonly #socket: Deno.Conn;
  readonly #broken: () => void;
  #waiting: Uint8Array[] = [];
  /** Of what waits and what is being written. */
  #bytes = 0;
  #isWriting = false;

  /** Calls `broken` when nothing can be sent any more. */
  constructor(socket: Deno.Conn, broken: () => void) {
    this.#socket = socket;
    this.#broken = broken;
  }

  send(frame: Uint8Array): void {
    this.#waiting.push(frame);
    this.#bytes += frame.length;
    if (this.#bytes > BYTES_MAX) this.#broken();
    else if (!this.#isWriting) this.#write();
  }

  /** One write at a time; frames that were made at the same moment go out together. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      await Promise.resolve();
      while (this.#waiting.length > 0) {
        const bytes = concatenated(this.#waiting);
        this.#waiting = [];
        for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
        this.#bytes -= bytes.length;
      }
      this.#isWriting = false;
    } catch {
      this.#broken();
    }
  }
}

/** The bytes of `parts` one after the other. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
