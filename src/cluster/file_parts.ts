/** A large file that may lie in parts: a folder whose files, in the order of their names, are the file. */

/** Large enough that calls cost little, small enough not to hold up anything else. Bytes. */
const CHUNK = 1 << 18;

export interface FileParts {
  readonly parts: readonly { readonly path: string; readonly size: number }[];
  /** Of all together, in bytes. */
  readonly size: number;
  /** Differs when the parts are others, or were changed. */
  readonly stamp: string;
}

/** Throws as `Deno.stat` does. Symbolic links are followed. */
export async function findParts(path: string): Promise<FileParts> {
  const paths = (await Deno.stat(path)).isDirectory ? await filesOf(path) : [path];
  const infos = await Promise.all(paths.map((part) => Deno.stat(part)));
  return {
    parts: paths.map((path, at) => ({ path, size: infos[at]?.size ?? 0 })),
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

/**
 * The bytes from `start` to `end`, in pieces; each is overwritten by the next. Throws if a part can't
 * be read or is shorter by now.
 */
export async function* readParts(
  { parts, size }: FileParts,
  start = 0,
  end = size,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(CHUNK);
  let partStart = 0;
  for (const { path, size } of parts) {
    const [from, to] = [Math.max(start - partStart, 0), Math.min(end - partStart, size)];
    partStart += size;
    if (from >= to) continue;
    using part = await Deno.open(path);
    await part.seek(from, Deno.SeekMode.Start);
    for (let at = from; at < to;) {
      const length = await part.read(buffer.subarray(0, to - at));
      if (length === null) throw new Error(`"${path}" ends after ${at} of ${size} bytes`);
      yield buffer.subarray(0, length);
      at += length;
    }
  }
}

/** Appends the bytes from `start` to `end` to an open file. Throws as `readParts` does. */
export async function writeParts(
  parts: FileParts,
  file: Deno.FsFile,
  start = 0,
  end = parts.size,
): Promise<void> {
  for await (const bytes of readParts(parts, start, end)) {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
}

/** Whether the file at `path` consists of the parts. Throws if one of them can't be read. */
export async function isMadeOf(path: string, parts: FileParts): Promise<boolean> {
  using file = await Deno.open(path);
  if ((await file.stat()).size !== parts.size) return false;
  const found = new Uint8Array(CHUNK);
  for await (const wanted of readParts(parts)) {
    const { length } = wanted;
    if (await fill(file, found.subarray(0, length)) !== length) return false;
    if (!isEqual(wanted, found, length)) return false;
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
