/**
 * A stable 32-bit hash of text: FNV-1a, then murmur3's finalizer for even spread.
 *
 * Indexes and MACs that survive reboots derive from it: never change the result for an input.
 */
export function hash32(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** `length` hexadecimal digits (at most 32) from independent 32-bit hashes of `text`. */
export function hashHex(text: string, length: number): string {
  let hex = "";
  for (let seed = 0; hex.length < length; seed++) {
    hex += hash32(text, Math.imul(seed, 0x9e3779b1)).toString(16).padStart(8, "0");
  }
  return hex.slice(0, length);
}

/** The same of bytes; nobody who does not know `seed` foresees the result at a glance. */
export function hashBytes(bytes: Uint8Array, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16) ^ seed, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
