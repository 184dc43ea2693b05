/** The server's end of one connection of HTTP/2, as far as gRPC needs it (RFC 9113). */

import {
  encodeFrame,
  ErrorCode,
  Flag,
  type Frame,
  FRAME_MAX,
  FrameReader,
  FrameType,
  Http2Error,
  uint32,
  unpadded,
} from "./frame.ts";
import { concatenated, FrameWriter } from "./frame_writer.ts";
import { encodeHeaders, type Header, HpackDecoder } from "./hpack.ts";
import { Http2Stream, type StreamOutput } from "./stream.ts";

/** What kubelet sends at once is shorter; every connection holds as much all the time. */
const READ_BYTES = 1_024;
/** Until the other side says otherwise, for each stream and for the connection. */
const WINDOW = 65_535;
const WINDOW_MAX = 2 ** 31 - 1;
/** Streams at once, bytes of headers and of a body: far more than a client of ours has a use for. */
const STREAMS_MAX = 100;
const HEADERS_MAX = 16 * 1024;
const BODY_MAX = 4 * 1024 * 1024;

const Setting = {
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export class Http2Connection implements StreamOutput, Disposable {
  readonly #socket: Deno.Conn;
  readonly #serve: (stream: Http2Stream) => void;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #decoder = new HpackDecoder();
  readonly #writer: FrameWriter;
  #lastStream = 0;
  /** Headers whose continuation must come next. */
  #openBlock: { readonly frame: Frame; readonly parts: Uint8Array[]; bytes: number } | undefined;
  #streamWindow = WINDOW;
  #window = WINDOW;
  /** Bytes received for which the client was not given new room yet. */
  #received = 0;
  #isClosed = false;

  /** Calls `serve` for each request when it is whole. */
  constructor(socket: Deno.Conn, serve: (stream: Http2Stream) => void) {
    this.#socket = socket;
    this.#serve = serve;
    this.#writer = new FrameWriter(socket, () => this[Symbol.dispose]());
  }

  /** Serves until one of the two hangs up; throws nothing. */
  async run(): Promise<void> {
    this.#send(encodeFrame(FrameType.SETTINGS, 0, 0, [
      ...setting(Setting.MAX_CONCURRENT_STREAMS, STREAMS_MAX),
      ...setting(Setting.MAX_HEADER_LIST_SIZE, HEADERS_MAX),
    ]));
    const reader = new FrameReader();
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const length = await this.#socket.read(buffer);
        if (length === null) return;
        reader.push(buffer.slice(0, length));
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          this.#handle(frame);
        }
      }
    } catch (error) {
      if (error instanceof Http2Error) await this.#sayGoodbye(error);
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  get window(): number {
    return Math.min(this.#window, FRAME_MAX);
  }

  sendHeaders(stream: number, headers: readonly Header[], end: boolean): void {
    const flags = Flag.END_HEADERS | (end ? Flag.END_STREAM : 0);
    this.#send(encodeFrame(FrameType.HEADERS, flags, stream, encodeHeaders(headers)));
  }

  sendData(stream: number, bytes: Uint8Array): void {
    this.#window -= bytes.length;
    this.#send(encodeFrame(FrameType.DATA, 0, stream, bytes));
  }

  ended(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    stream.close();
  }

  #handle(frame: Frame): void {
    if (this.#openBlock !== undefined && frame.type !== FrameType.CONTINUATION) {
      throw new Http2Error(ErrorCode.PROTOCOL_ERROR, "Headers are not continued");
    }
    switch (frame.type) {
      case FrameType.DATA:
        return this.#data(frame);
      case FrameType.HEADERS:
        return this.#headers(frame);
      case FrameType.CONTINUATION:
        return this.#continuation(frame);
      case FrameType.RST_STREAM:
        return this.#reset(frame);
      case FrameType.SETTINGS:
        return this.#settings(frame);
      case FrameType.PING:
        return this.#ping(frame);
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(frame);
      case FrameType.PUSH_PROMISE:
        throw new Http2Error(ErrorCode.PROTOCOL_ERROR, "A client cannot push");
    }
    // GOAWAY: the client will hang up when it has its answers. PRIORITY and unknown types: nothing.
  }

  #data(frame: Frame): void {
    const stream = this.#known(frame);
    this.#received += frame.payload.length;
    if (this.#received > WINDOW / 2) {
      this.#send(encodeFrame(FrameType.WINDOW_UPDATE, 0, 0, uint32(this.#received)));
      this.#received = 0;
    }
    if (stream === undefined) return; // answered or given up already
    if (stream.isRequestWhole) return this.#refuse(stream.id, ErrorCode.STREAM_CLOSED);
    stream.receive(unpadded(frame));
    if (stream.bodyBytes > BODY_MAX) return this.#refuse(stream.id, ErrorCode.ENHANCE_YOUR_CALM);
    if (frame.flags & Flag.END_STREAM) this.#requestEnded(stream);
    else if (frame.payload.length > 0) {
      const room = uint32(frame.payload.length);
      this.#send(encodeFrame(FrameType.WINDOW_UPDATE, 0, stream.id, room));
    }
  }

  #headers(frame: Frame): void {
    this.#openBlock = { frame, parts: [], bytes: 0 };
    this.#collect(unpadded(frame), frame.flags);
  }

  #continuation({ stream, payload, flags }: Frame): void {
    if (this.#openBlock?.frame.stream !== stream) {
      throw new Http2Error(ErrorCode.PROTOCOL_ERROR, "There are no headers to continue");
    }
    this.#collect(payload, flags);
  }

  #collect(part: Uint8Array, flags: number): void {
    const block = this.#openBlock;
    if (block === undefined) return;
    block.parts.push(part);
    block.bytes += part.length;
    if (block.bytes > HEADERS_MAX) {
      throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "Too many headers");
    }
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#openBlock = undefined;
    this.#decoded(block.frame, this.#decode(concatenated(block.parts)));
  }

  #decode(block: Uint8Array): readonly Header[] {
    try {
      return this.#decoder.decode(block, HEADERS_MAX);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Http2Error(ErrorCode.COMPRESSION_ERROR, error.message);
    }
  }

  #decoded({ stream: id, flags }: Frame, headers: readonly Header[]): void {
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    const known = this.#streams.get(id);
    if (known !== undefined) { // trailers, of which a request has no use
      if (!isEnd || known.isRequestWhole) return this.#refuse(id, ErrorCode.PROTOCOL_ERROR);
      return this.#requestEnded(known);
    }
    if (id % 2 === 0) {
      throw new Http2Error(ErrorCode.PROTOCOL_ERROR, `A client cannot open stream ${id}`);
    }
    if (id <= this.#lastStream) return; // over already
    this.#lastStream = id;
    if (this.#streams.size >= STREAMS_MAX) return this.#refuse(id, ErrorCode.REFUSED_STREAM);
    const stream = new Http2Stream(id, headers, this.#streamWindow, this);
    this.#streams.set(id, stream);
    if (isEnd) this.#requestEnded(stream);
  }

  #requestEnded(stream: Http2Stream): void {
    stream.requestEnded();
    this.#serve(stream);
  }

  #reset(frame: Frame): void {
    const stream = this.#known(frame);
    if (stream !== undefined) this.ended(stream);
  }

  #settings({ flags, payload, stream }: Frame): void {
    if (stream !== 0 || payload.length % 6 !== 0) {
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, "Bad settings");
    }
    if (flags & Flag.ACK) return;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    for (let at = 0; at < payload.length; at += 6) {
      if (view.getUint16(at) === Setting.INITIAL_WINDOW_SIZE) this.#resize(view.getUint32(at + 2));
    }
    this.#send(encodeFrame(FrameType.SETTINGS, Flag.ACK, 0));
    this.#pump();
  }

  /** Section 6.9.2: it counts for open streams too. */
  #resize(window: number): void {
    if (window > WINDOW_MAX) throw new Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "Bad window");
    const change = window - this.#streamWindow;
    this.#streamWindow = window;
    for (const stream of this.#streams.values()) stream.widen(change);
  }

  #ping({ flags, payload, stream }: Frame): void {
    if (stream !== 0 || payload.length !== 8) {
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, "Bad ping");
    }
    if ((flags & Flag.ACK) === 0) this.#send(encodeFrame(FrameType.PING, Flag.ACK, 0, payload));
  }

  #windowUpdate(frame: Frame): void {
    const { payload } = frame;
    if (payload.length !== 4) throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, "Bad window");
    const room = new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0) & WINDOW_MAX;
    const window = frame.stream === 0
      ? this.#window += room
      : this.#known(frame)?.widen(room) ?? room;
    if (room === 0 || window > WINDOW_MAX) {
      throw new Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "Bad window");
    }
    this.#pump();
  }

  #pump(): void {
    for (const stream of this.#streams.values()) stream.pump();
  }

  /** The stream that a frame is about; undefined if it is over. Throws for one that never was. */
  #known({ stream, type }: Frame): Http2Stream | undefined {
    if (stream === 0 || stream > this.#lastStream) {
      throw new Http2Error(ErrorCode.PROTOCOL_ERROR, `Frame ${type} for stream ${stream}`);
    }
    return this.#streams.get(stream);
  }

  #refuse(id: number, code: number): void {
    this.#send(encodeFrame(FrameType.RST_STREAM, 0, id, uint32(code)));
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.ended(stream);
  }

  #send(frame: Uint8Array): void {
    if (!this.#isClosed) this.#writer.send(frame);
  }

  async #sayGoodbye({ code }: Http2Error): Promise<void> {
    const payload = [...uint32(this.#lastStream), ...uint32(code)];
    const frame = encodeFrame(FrameType.GOAWAY, 0, 0, payload);
    await this.#socket.write(frame).catch(() => {});
  }
}

function setting(id: number, value: number): readonly number[] {
  return [0, id, ...uint32(value)];
}
