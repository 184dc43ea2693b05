/** Tar archives that depend on their content alone: no time, owner or order from outside. */

const BLOCK = 512;

/** A file of an archive; `path` is relative and at most 100 bytes long. */
export interface ArchiveFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** The ustar archive of `files`, sorted by path, in pieces to be written one after the other. */
export function tarArchive(files: readonly ArchiveFile[]): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (const file of files.toSorted((a, b) => a.path < b.path ? -1 : 1)) {
    const padding = (BLOCK - file.bytes.length % BLOCK) % BLOCK;
    pieces.push(header(file), new Uint8Array(file.bytes), new Uint8Array(padding));
  }
  pieces.push(new Uint8Array(2 * BLOCK));
  return pieces;
}

function header({ path, mode, bytes }: ArchiveFile): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string) => block.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0") + "\0";
  if (new TextEncoder().encode(path).length > 100) {
    throw new RangeError(`Cannot archive "${path}": its name is longer than 100 bytes`);
  }
  put(0, path);
  put(100, octal(mode, 7));
  put(108, octal(0, 7)); // owner
  put(116, octal(0, 7)); // group
  put(124, octal(bytes.length, 11));
  put(136, octal(0, 11)); // time of change
  put(148, " ".repeat(8)); // the checksum counts itself as spaces
  put(156, "0"); // a regular file
  put(257, "ustar\x0000");
  put(148, octal(block.reduce((sum, byte) => sum + byte, 0), 6) + " ");
  return block;
}
