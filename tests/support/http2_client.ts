/** A client of HTTP/2 that sends what it is told to, sound or not, and shows each frame as a line. */

import { Http2Connection } from "../../src/deviceplugin/http2/connection.ts";
import {
  encodeFrame,
  type Frame,
  FrameReader,
  FrameType,
  PREFACE,
} from "../../src/deviceplugin/http2/frame.ts";
import { HpackDecoder } from "../../src/deviceplugin/http2/hpack.ts";
import type { Http2Stream } from "../../src/deviceplugin/http2/stream.ts";
import { toHex } from "./hex.ts";
import { TempDir } from "./temp_dir.ts";

const NAMES = new Map<number, string>(
  Object.entries(FrameType).map(([name, type]) => [type, name]),
);
const NEXT_MS = 10_000;

export class Http2Client implements AsyncDisposable {
  readonly #dir = new TempDir();
  readonly #socket: Promise<Deno.Conn>;
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  readonly #buffer = new Uint8Array(4_096);
  #served: Promise<void> = Promise.resolve();
  #open: Deno.Conn | undefined;

  /** At the other end is a connection that calls `serve` for each request. */
  constructor(serve: (stream: Http2Stream) => void) {
    this.#reader.push(PREFACE); // a server has none
    this.#socket = this.#connect(serve);
  }

  /** A client past the greeting of both sides. */
  static async greeted(serve: (stream: Http2Stream) => void): Promise<Http2Client> {
    const client = new Http2Client(serve);
    await client.send(PREFACE, encodeFrame(FrameType.SETTINGS, 0, 0));
    await client.nextLike(/^SETTINGS 0/);
    await client.nextLike(/^SETTINGS 1/);
    return client;
  }

  async send(...frames: readonly Uint8Array[]): Promise<void> {
    const socket = await this.#socket;
    for (const bytes of frames) {
      for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
    }
  }

  /** The next frame: its name, flags, stream, and headers or payload. "end": the server hung up. */
  async next(): Promise<string> {
    const socket = await this.#socket;
    const timer = setTimeout(() => this.hangUp(), NEXT_MS);
    try {
      for (;;) {
        const frame = this.#reader.next();
        if (frame !== undefined) return this.#words(frame);
        const length = await socket.read(this.#buffer).catch(() => null);
        if (length === null) return "end";
        this.#reader.push(this.#buffer.slice(0, length));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next frame that `pattern` fits. Throws when there is none. */
  async nextLike(pattern: RegExp): Promise<string> {
    for (let frame = await this.next();; frame = await this.next()) {
      if (pattern.test(frame)) return frame;
      if (frame === "end") throw new Error(`The connection ended without ${pattern}`);
    }
  }

  hangUp(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket;
    this.hangUp();
    await this.#served;
    this.#dir[Symbol.dispose]();
  }

  async #connect(serve: (stream: Http2Stream) => void): Promise<Deno.Conn> {
    const path = `${this.#dir.path}/s`;
    using listener = Deno.listen({ transport: "unix", path });
    const [accepted, socket] = await Promise.all([
      listener.accept(),
      Deno.connect({ transport: "unix", path }),
    ]);
    this.#served = new Http2Connection(accepted, serve).run();
    return this.#open = socket;
  }

  #words({ type, flags, stream, payload }: Frame): string {
    const shown = type === FrameType.HEADERS
      ? this.#decoder.decode(payload, 10_000).map((header) => header.join("=")).join(" ")
      : toHex(payload);
    return `${NAMES.get(type) ?? type} ${flags} stream ${stream} ${shown}`.trim();
  }
}
