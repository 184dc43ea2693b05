/** Bytes written as text, for captures that a reader can follow field by field. */

/**
 * The bytes of `text`: two hexadecimal digits each, in any layout; `00x200` stands for two hundred
 * zero bytes; `#` starts a comment that ends with the line. Throws `SyntaxError`.
 */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const line of text.split("\n")) {
    for (const token of line.replace(/#.*/, "").split(/\s+/).filter(Boolean)) {
      const match = /^([0-9a-f]{2})(?:x(\d+))?$/i.exec(token);
      if (match === null) throw new SyntaxError(`"${token}" is not a byte like 0a or 00x200`);
      const [, byte = "", count = "1"] = match;
      for (let left = Number(count); left > 0; left--) bytes.push(parseInt(byte, 16));
    }
  }
  return Uint8Array.from(bytes);
}

/** Two digits a byte, without spaces. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
