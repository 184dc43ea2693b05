/** One request and its answer on a connection of HTTP/2. */

import { concatenated } from "./frame_writer.ts";
import type { Header } from "./hpack.ts";

/** What a stream needs of its connection. */
export interface StreamOutput {
  sendHeaders(stream: number, headers: readonly Header[], end: boolean): void;
  sendData(stream: number, bytes: Uint8Array): void;
  /** Bytes of data that the connection may send now. */
  readonly window: number;
  /** Nothing more will be sent. */
  ended(stream: Http2Stream): void;
}

export class Http2Stream {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Called once when the stream is over: answered, given up by the client, or the connection broke. */
  onClosed = () => {};
  /** Called when everything that was to be sent has been. */
  onDrained = () => {};
  readonly #output: StreamOutput;
  readonly #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #isRequestWhole = false;
  #window: number;
  #pending: Uint8Array[] = [];
  #trailers: readonly Header[] | undefined;
  #isClosed = false;

  constructor(id: number, headers: readonly Header[], window: number, output: StreamOutput) {
    this.id = id;
    this.headers = new Map(headers);
    this.#window = window;
    this.#output = output;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  get isRequestWhole(): boolean {
    return this.#isRequestWhole;
  }

  /** The whole request body. */
  body(): Uint8Array {
    return concatenated(this.#body);
  }

  /** Whether data waits for the client to make room. */
  get isFull(): boolean {
    return this.#pending.length > 0;
  }

  /** Answers with headers; with `end`, they are the whole answer. */
  respond(headers: readonly Header[], { end = false }: { readonly end?: boolean } = {}): void {
    if (this.#isClosed) return;
    this.#output.sendHeaders(this.id, headers, end);
    if (end) this.#output.ended(this);
  }

  /** Sends data, as soon as the client has room for it. */
  write(bytes: Uint8Array): void {
    if (this.#isClosed || this.#trailers !== undefined) return;
    this.#pending.push(bytes);
    this.pump();
  }

  /** Ends the answer after all data. */
  end(trailers: readonly Header[]): void {
    if (this.#isClosed || this.#trailers !== undefined) return;
    this.#trailers = trailers;
    this.pump();
  }

  // What follows is for the connection.

  receive(bytes: Uint8Array): void {
    this.#body.push(bytes);
    this.#bodyBytes += bytes.length;
  }

  requestEnded(): void {
    this.#isRequestWhole = true;
  }

  /** The client makes more room, or less; returns how much there is. */
  widen(bytes: number): number {
    return this.#window += bytes;
  }

  /** Sends as much as there is room for. */
  pump(): void {
    const wasFull = this.isFull;
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      const room = Math.min(this.#window, this.#output.window, next.length);
      if (room <= 0) return;
      this.#window -= room;
      this.#output.sendData(this.id, next.subarray(0, room));
      if (room < next.length) this.#pending[0] = next.subarray(room);
      else this.#pending.shift();
    }
    if (this.#trailers !== undefined && !this.#isClosed) {
      this.#output.sendHeaders(this.id, this.#trailers, true);
      this.#output.ended(this);
    } else if (wasFull) {
      this.onDrained();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pending = [];
    this.onClosed();
  }
}
