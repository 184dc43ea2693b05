/** The Huffman code of header strings (RFC 7541, appendix B). */

/**
 * Bits of the code of each byte, then of the end mark. The codes themselves follow: they are given
 * out in the order of length, then of byte.
 */
const CODE_LENGTHS = [
  [13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  [28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  [6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  [5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  [13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  [7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  [15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  [6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  [20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  [24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  [22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  [21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  [26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  [19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  [20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  [26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  [30],
].flat();

const END_MARK = 256;
const LONGEST = 30;

/** For each length: the first code of that length, and the symbols in the order of their codes. */
interface Row {
  readonly first: number;
  readonly symbols: readonly number[];
}

let rows: readonly Row[] | undefined;

/** The bytes that `coded` stands for. Throws RangeError for what is no proper code. */
export function decodeHuffman(coded: Uint8Array): Uint8Array<ArrayBuffer> {
  rows ??= codeRows();
  const bytes: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of coded) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const row = rows[length];
      const symbol = row?.symbols[code - row.first];
      if (symbol === END_MARK || length > LONGEST) throw new RangeError("Bad Huffman code");
      if (symbol === undefined) continue;
      bytes.push(symbol);
      code = 0;
      length = 0;
    }
  }
  // The last byte is filled up with ones, less than a byte of them.
  if (length > 7 || code !== 2 ** length - 1) throw new RangeError("Bad end of a Huffman code");
  return Uint8Array.from(bytes);
}

function codeRows(): Row[] {
  const found: Row[] = [];
  let next = 0;
  for (let length = 0; length <= LONGEST; length++) {
    const symbols = CODE_LENGTHS.flatMap((of, symbol) => of === length ? [symbol] : []);
    found.push({ first: next, symbols });
    next = (next + symbols.length) * 2;
  }
  return found;
}
