/** Frames of HTTP/2 (RFC 9113, sections 4 and 6). */

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** What the client sends before its first frame. */
export const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The longest frame that either side sends; we ask for no more, and need no more. */
export const FRAME_MAX = 16_384;

const HEAD = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

/** The connection cannot go on; `code` tells the other side why. */
export class Http2Error extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = "Http2Error";
    this.code = code;
  }
}

/** The bytes of a frame. */
export function encodeFrame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | readonly number[] = [],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length << 8 | type);
  bytes[4] = flags;
  view.setUint32(5, stream);
  bytes.set(payload, HEAD);
  return bytes;
}

/** A payload of one number of 32 bits. */
export function uint32(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Cuts what comes from a client into frames. */
export class FrameReader {
  #bytes: Uint8Array = new Uint8Array();
  #isBegun = false;

  /** Takes bytes as they come, and keeps them. */
  push(bytes: Uint8Array): void {
    if (this.#bytes.length === 0) {
      this.#bytes = bytes;
      return;
    }
    const both = new Uint8Array(this.#bytes.length + bytes.length);
    both.set(this.#bytes);
    both.set(bytes, this.#bytes.length);
    this.#bytes = both;
  }

  /** The next frame, undefined until there is a whole one. Throws Http2Error. */
  next(): Frame | undefined {
    if (!this.#isBegun && !this.#takePreface()) return undefined;
    const bytes = this.#bytes;
    if (bytes.length < HEAD) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getUint32(0) >>> 8;
    if (length > FRAME_MAX) {
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, `A frame of ${length} bytes is too long`);
    }
    if (bytes.length < HEAD + length) return undefined;
    this.#bytes = bytes.subarray(HEAD + length);
    return {
      type: view.getUint8(3),
      flags: view.getUint8(4),
      stream: view.getUint32(5) & 0x7fffffff,
      payload: bytes.subarray(HEAD, HEAD + length),
    };
  }

  #takePreface(): boolean {
    const seen = Math.min(this.#bytes.length, PREFACE.length);
    for (let i = 0; i < seen; i++) {
      if (this.#bytes[i] !== PREFACE[i]) {
        throw new Http2Error(ErrorCode.PROTOCOL_ERROR, "The other side does not speak HTTP/2");
      }
    }
    if (seen < PREFACE.length) return false;
    this.#bytes = this.#bytes.subarray(PREFACE.length);
    return this.#isBegun = true;
  }
}

/** The payload of a DATA or HEADERS frame without padding and priority. Throws Http2Error. */
export function unpadded({ flags, payload, type }: Frame): Uint8Array {
  const padding = flags & Flag.PADDED ? payload[0] ?? payload.length : 0;
  const priority = type === FrameType.HEADERS && flags & Flag.PRIORITY ? 5 : 0;
  const start = (flags & Flag.PADDED ? 1 : 0) + priority;
  if (start + padding > payload.length) {
    throw new Http2Error(ErrorCode.PROTOCOL_ERROR, "A frame is shorter than its padding");
  }
  return payload.subarray(start, payload.length - padding);
}
