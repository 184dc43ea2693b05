/** Tar archives that depend on their content alone: no time, owner or order from outside. */

const BLOCK = 512;

/** Something in an archive; `path` is relative and at most 100 bytes long. */
export type ArchiveEntry = ArchiveFile | ArchiveFolder | ArchiveLink;

export interface ArchiveFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

export interface ArchiveFolder {
  readonly path: string;
  readonly mode: number;
}

/** A symbolic link; `target` is at most 100 bytes long. */
export interface ArchiveLink {
  readonly path: string;
  readonly target: string;
}

/** The ustar archive of `entries`, sorted by path, in pieces to be written one after the other. */
export function tarArchive(entries: readonly ArchiveEntry[]): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (const entry of entries.toSorted((a, b) => a.path < b.path ? -1 : 1)) {
    pieces.push(header(entry));
    if (!("bytes" in entry)) continue;
    const padding = (BLOCK - entry.bytes.length % BLOCK) % BLOCK;
    pieces.push(new Uint8Array(entry.bytes), new Uint8Array(padding));
  }
  pieces.push(new Uint8Array(2 * BLOCK));
  return pieces;
}

function header(entry: ArchiveEntry): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string) => block.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0") + "\0";
  const { path, type, mode, size, target } = fields(entry);
  for (const name of [path, target]) {
    if (new TextEncoder().encode(name).length > 100) {
      throw new RangeError(`Cannot archive "${name}": it is longer than 100 bytes`);
    }
  }
  put(0, path);
  put(100, octal(mode, 7));
  put(108, octal(0, 7)); // owner
  put(116, octal(0, 7)); // group
  put(124, octal(size, 11));
  put(136, octal(0, 11)); // time of change
  put(148, " ".repeat(8)); // the checksum counts itself as spaces
  put(156, type);
  put(157, target);
  put(257, "ustar\x0000");
  put(148, octal(block.reduce((sum, byte) => sum + byte, 0), 6) + " ");
  return block;
}

function fields(entry: ArchiveEntry) {
  const { path } = entry;
  if ("bytes" in entry) {
    return { path, type: "0", mode: entry.mode, size: entry.bytes.length, target: "" };
  }
  if ("target" in entry) return { path, type: "2", mode: 0o777, size: 0, target: entry.target };
  return { path: `${path}/`, type: "5", mode: entry.mode, size: 0, target: "" };
}

/** A regular file of an archive, whose content is at `start`. */
export interface FoundFile {
  readonly path: string;
  readonly mode: number;
  readonly start: number;
  readonly size: number;
}

/** The regular files of an archive that `tarArchive` made and that begins at `offset`. */
export function findFiles(archive: Uint8Array, offset = 0): readonly FoundFile[] {
  const text = (start: number, length: number) =>
    new TextDecoder().decode(archive.subarray(start, start + length)).replace(/\0.*/s, "");
  const found: FoundFile[] = [];
  for (let at = offset; archive[at] !== 0;) {
    if (text(at + 257, 6) !== "ustar") throw new Error(`No archive of ours at byte ${at}`);
    const size = parseInt(text(at + 124, 12), 8);
    const start = at + BLOCK;
    if (text(at + 156, 1) === "0") {
      found.push({ path: text(at, 100), mode: parseInt(text(at + 100, 8), 8), start, size });
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}
