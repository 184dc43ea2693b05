/** Header blocks of HTTP/2 (RFC 7541). */

import { decodeHuffman } from "./huffman.ts";

export type Header = readonly [name: string, value: string];

/** Appendix A; the place of an entry is its index, from 1. */
const STATIC_TABLE: readonly Header[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...[
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
  ].map((name): Header => [name, ""]),
];

/** What the other side may keep, as long as it is told nothing else; bytes as RFC 7541 counts. */
const TABLE_BYTES = 4_096;
const ENTRY_OVERHEAD = 32;

/** Decodes the header blocks of one connection, all of them, in order. */
export class HpackDecoder {
  readonly #table: Header[] = [];
  #bytes = 0;
  #bytesMax = TABLE_BYTES;

  /** Throws RangeError for a block that is not one, or with more than `maxBytes` of headers. */
  decode(block: Uint8Array, maxBytes: number): readonly Header[] {
    const reader = new BlockReader(block);
    const headers: Header[] = [];
    let bytes = 0;
    while (!reader.isAtEnd) {
      const header = this.#next(reader);
      if (header === undefined) continue;
      bytes += sizeOf(header);
      if (bytes > maxBytes) throw new RangeError(`More than ${maxBytes} bytes of headers`);
      headers.push(header);
    }
    return headers;
  }

  #next(reader: BlockReader): Header | undefined {
    const first = reader.peek();
    if (first >= 0x80) return this.#entry(reader.integer(7));
    if (first >= 0x40) return this.#insert(this.#literal(reader, 6));
    if (first < 0x20) return this.#literal(reader, 4);
    const bytesMax = reader.integer(5);
    if (bytesMax > TABLE_BYTES) throw new RangeError("The header table would become too large");
    this.#bytesMax = bytesMax;
    this.#evict();
    return undefined;
  }

  #literal(reader: BlockReader, prefix: number): Header {
    const index = reader.integer(prefix);
    const name = index === 0 ? reader.string() : this.#entry(index)[0];
    return [name, reader.string()];
  }

  #entry(index: number): Header {
    const entry = index <= STATIC_TABLE.length
      ? STATIC_TABLE[index - 1]
      : this.#table[index - STATIC_TABLE.length - 1];
    if (entry === undefined) throw new RangeError(`There is no header ${index} in the table`);
    return entry;
  }

  #insert(header: Header): Header {
    this.#table.unshift(header);
    this.#bytes += sizeOf(header);
    this.#evict();
    return header;
  }

  #evict(): void {
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#table.pop();
      if (oldest === undefined) return;
      this.#bytes -= sizeOf(oldest);
    }
  }
}

function sizeOf([name, value]: Header): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}

class BlockReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError("The header block ends early");
    return byte;
  }

  /** Section 5.1: in the low `prefix` bits, and in more bytes if they are all ones. */
  integer(prefix: number): number {
    const full = 2 ** prefix - 1;
    let value = this.#byte() & full;
    if (value < full) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("A number in the header block is too large");
  }

  /** Section 5.2, each byte as one character. */
  string(): string {
    const isCoded = this.peek() >= 0x80;
    const length = this.integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new RangeError("The header block ends early");
    this.#at += length;
    return latin1(isCoded ? decodeHuffman(bytes) : bytes);
  }

  #byte(): number {
    const byte = this.peek();
    this.#at++;
    return byte;
  }
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/**
 * A header block that puts nothing into the other side's table: every header stands in full. Names
 * and values must be ASCII.
 */
export function encodeHeaders(headers: readonly Header[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const [name, value] of headers) {
    bytes.push(0);
    pushString(bytes, name);
    pushString(bytes, value);
  }
  return Uint8Array.from(bytes);
}

function pushString(bytes: number[], text: string): void {
  const full = 0x7f;
  bytes.push(Math.min(text.length, full));
  if (text.length >= full) {
    let rest = text.length - full;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(rest % 0x80 + 0x80);
    bytes.push(rest);
  }
  for (let i = 0; i < text.length; i++) bytes.push(text.charCodeAt(i));
}
