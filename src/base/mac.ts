/** Ethernet addresses: text is lower-case hexadecimal with colons, bytes are six. */

const MAC_TEXT = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/i;

/** Six bytes of `text` ("02:00:5e:10:00:01", either case, colons or dashes). Throws `SyntaxError`. */
export function parseMac(text: string): Uint8Array {
  if (!MAC_TEXT.test(text)) {
    throw new SyntaxError(`"${text}" is not an Ethernet address like 02:00:5e:10:00:01`);
  }
  return Uint8Array.from(text.split(/[:-]/), (part) => parseInt(part, 16));
}

/** Stands for every address that a VXLAN does not know the place of. */
export const UNKNOWN_MAC = "00:00:00:00:00:00";

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Can this address be given to an interface: neither a group address (IEEE 802, I/G bit) nor all zero? */
export function isUnicastMac(text: string): boolean {
  const bytes = parseMac(text);
  return (bytes[0]! & 1) === 0 && bytes.some((byte) => byte !== 0);
}
