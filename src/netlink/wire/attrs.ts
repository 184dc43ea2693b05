/**
 * Netlink attributes: type-length-value in host byte order (little-endian on every machine served),
 * padded to four bytes (linux/netlink.h, struct nlattr).
 */

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes rounded up to the alignment of netlink. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** Appends values, attributes and nested attributes to a growing buffer. */
export class AttrWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  #header(type: number, payload: number): number {
    const at = this.#reserve(align4(HEADER + payload));
    this.#view.setUint16(at, HEADER + payload, true);
    this.#view.setUint16(at + 2, type, true);
    return at + HEADER;
  }

  /** Bytes without a header: the fixed part of a message. */
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#header(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  u8(type: number, value: number): this {
    const at = this.#header(type, 1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#header(type, 2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  /** Sixteen bits in network byte order (UDP ports). */
  be16(type: number, value: number): this {
    const at = this.#header(type, 2);
    this.#view.setUint16(at, value, false);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#header(type, 4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** Thirty-two bits in network byte order, as all of netfilter's numbers are. */
  be32(type: number, value: number): this {
    const at = this.#header(type, 4);
    this.#view.setUint32(at, value, false);
    return this;
  }

  /** Sixty-four bits in network byte order. */
  be64(type: number, value: bigint): this {
    const at = this.#header(type, 8);
    this.#view.setBigUint64(at, value, false);
    return this;
  }

  /** NUL-terminated text. */
  text(type: number, value: string): this {
    const bytes = encoder.encode(value);
    const at = this.#header(type, bytes.length + 1);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** An attribute whose payload is what `fill` appends. */
  nested(type: number, fill: (writer: this) => void): this {
    const start = this.#header(type | NLA_F_NESTED, 0) - HEADER;
    fill(this);
    this.#view.setUint16(start, this.#length - start, true);
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** One received attribute. */
export interface Attr {
  readonly type: number;
  readonly value: Uint8Array;
}

/** The attributes in `bytes`. A length that does not fit ends the list: the kernel is newer, not wrong. */
export function* readAttrs(bytes: Uint8Array): Generator<Attr> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < HEADER || at + length > bytes.length) return;
    yield {
      type: view.getUint16(at + 2, true) & NLA_TYPE_MASK,
      value: bytes.subarray(at + HEADER, at + length),
    };
    at += align4(length);
  }
}

/**
 * A view of the fixed part in front of the attributes; what a message too short for it leaves out
 * reads as zero.
 */
export function readFixed(payload: Uint8Array, length: number): DataView {
  if (payload.length >= length) return new DataView(payload.buffer, payload.byteOffset, length);
  const padded = new Uint8Array(length);
  padded.set(payload);
  return new DataView(padded.buffer);
}

export function readU8(value: Uint8Array): number {
  return value[0] ?? 0;
}

export function readU16(value: Uint8Array): number {
  return value.length < 2 ? readU8(value) : value[0]! | (value[1]! << 8);
}

export function readBe16(value: Uint8Array): number {
  return value.length < 2 ? readU8(value) : (value[0]! << 8) | value[1]!;
}

export function readU32(value: Uint8Array): number {
  if (value.length < 4) return readU16(value);
  return (value[0]! | (value[1]! << 8) | (value[2]! << 16) | (value[3]! << 24)) >>> 0;
}

export function readBe32(value: Uint8Array): number {
  if (value.length < 4) return readBe16(value);
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
}

export function readBe64(value: Uint8Array): bigint {
  if (value.length < 8) return BigInt(readBe32(value));
  return BigInt(readBe32(value)) << 32n | BigInt(readBe32(value.subarray(4)));
}

/** Text up to the first NUL. */
export function readText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return decoder.decode(end < 0 ? value : value.subarray(0, end));
}
