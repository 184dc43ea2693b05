/** IP addresses: text as in RFC 5952, bytes are four (IPv4) or sixteen (IPv6). */

/** The bytes of `text`. A zone ("fe80::1%eth0") is refused. Throws `SyntaxError`. */
export function parseIp(text: string): Uint8Array {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) throw new SyntaxError(`"${text}" is not an IP address`);
  return bytes;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) {
    return undefined;
  }
  const numbers = parts.map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  let source = text;
  const lastColon = source.lastIndexOf(":");
  if (source.includes(".")) {
    const tail = parseIpv4(source.slice(lastColon + 1));
    if (tail === undefined) return undefined;
    const hex = (at: number) => ((tail[at]! << 8) | tail[at + 1]!).toString(16);
    source = `${source.slice(0, lastColon + 1)}${hex(0)}:${hex(2)}`;
  }
  const halves = source.split("::");
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined) => half ? half.split(":") : [];
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill("0"), ...tail];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(all.flatMap((group) => {
    const value = parseInt(group, 16);
    return [value >> 8, value & 0xff];
  }));
}

/** RFC 5952 text: lower case, longest run of zero groups (two or more, the first of equals) as "::". */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => (bytes[2 * at]! << 8) | bytes[2 * at + 1]!);
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) [bestStart, bestLength] = [start, end - start];
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (bestStart < 0) return hex(groups);
  return `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}

export interface Prefix {
  readonly address: string;
  readonly length: number;
}

/** "192.0.2.7/24" taken apart. Throws `SyntaxError`. */
export function parsePrefix(text: string): Prefix {
  const [address = "", length = "", ...rest] = text.split("/");
  const bits = parseIp(address).length * 8;
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) {
    throw new SyntaxError(`"${text}" is not an address with prefix length like 192.0.2.7/24`);
  }
  return { address, length: Number(length) };
}

/** IPv6 multicast, ff00::/8 (RFC 4291, 2.7)? */
export function isIpv6Multicast(text: string): boolean {
  return text.includes(":") && parseIp(text)[0] === 0xff;
}

/** fe80::/10 (RFC 4291, 2.4)? */
export function isIpv6LinkLocal(text: string): boolean {
  if (!text.includes(":")) return false;
  const bytes = parseIp(text);
  return bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

/** Scope nibble of an IPv6 multicast address (RFC 4291, 2.7): 2 is link-local, 5 site-local, 14 global. */
export function multicastScope(text: string): number {
  return parseIp(text)[1]! & 0x0f;
}
