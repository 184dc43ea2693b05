/** A large file that may lie in parts: a folder whose files, in the order of their names, are the file. */

/** Large enough that calls cost little, small enough not to hold up anything else. Bytes. */
const CHUNK = 1 << 18;

export interface FileParts {
  readonly paths: readonly string[];
  readonly size: number;
  /** Differs when the parts are others, or were changed. */
  readonly stamp: string;
}

/** Throws as `Deno.stat` does. Symbolic links are followed. */
export async function findParts(path: string): Promise<FileParts> {
  const paths = (await Deno.stat(path)).isDirectory ? await filesOf(path) : [path];
  const infos = await Promise.all(paths.map((part) => Deno.stat(part)));
  return {
    paths,
    size: infos.reduce((sum, { size }) => sum + size, 0),
    // Times of modification alone would not do: they are the same in all reproducible images.
    stamp: JSON.stringify(infos.map(({ ino, size, mtime, ctime }) => [ino, size, mtime, ctime])),
  };
}

async function filesOf(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.toSorted().map((name) => `${folder}/${name}`);
}

/** Appends all parts to an open file. */
export async function writeParts({ paths }: FileParts, file: Deno.FsFile): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  for (const path of paths) {
    using part = await Deno.open(path);
    for (;;) {
      const length = await part.read(buffer);
      if (length === null) break;
      for (let at = 0; at < length;) at += await file.write(buffer.subarray(at, length));
    }
  }
}

/** Whether the file at `path` consists of the parts. Throws if one of them can't be read. */
export async function isMadeOf(path: string, { paths, size }: FileParts): Promise<boolean> {
  using file = await Deno.open(path);
  if ((await file.stat()).size !== size) return false;
  const [wanted, found] = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  for (const partPath of paths) {
    using part = await Deno.open(partPath);
    for (;;) {
      const length = await part.read(wanted);
      if (length === null) break;
      if (await fill(file, found.subarray(0, length)) !== length) return false;
      if (!isEqual(wanted, found, length)) return false;
    }
  }
  return true;
}

/** Reads until `buffer` is full or the file ends; returns how many bytes there were. */
async function fill(file: Deno.FsFile, buffer: Uint8Array<ArrayBuffer>): Promise<number> {
  let at = 0;
  while (at < buffer.length) {
    const length = await file.read(buffer.subarray(at));
    if (length === null) break;
    at += length;
  }
  return at;
}

/** Four bytes at a time: a hundred million have to be compared. */
function isEqual(
  one: Uint8Array<ArrayBuffer>,
  other: Uint8Array<ArrayBuffer>,
  length: number,
): boolean {
  const words = length >> 2;
  const [left, right] = [new Int32Array(one.buffer), new Int32Array(other.buffer)];
  for (let at = 0; at < words; at++) if (left[at] !== right[at]) return false;
  for (let at = words << 2; at < length; at++) if (one[at] !== other[at]) return false;
  return true;
}
