/** What the executable that unpacks itself carries, as scripts/build_unpacking.ts made it. */

import { type FileParts, readParts } from "./file_parts.ts";

export interface CarriedProgram {
  /** Names the folder that it is unpacked to; differs when anything in it does. */
  readonly id: string;
  readonly files: readonly CarriedFile[];
}

/** A file, and where its content is in the executable. */
export interface CarriedFile {
  /** Relative. */
  readonly path: string;
  readonly mode: number;
  readonly start: number;
  readonly size: number;
}

const BLOCK = 512;
/** The launcher says within so many bytes where the archive begins. */
const LAUNCHER_HEAD = 4096;

/**
 * undefined: it carries nothing, as the compiled form. Throws if the executable can't be read or is
 * damaged.
 */
export async function findCarried(parts: FileParts): Promise<CarriedProgram | undefined> {
  const launcher = textOf(await bytesOf(parts, 0, Math.min(LAUNCHER_HEAD, parts.size)));
  const id = /^id=([0-9a-f]{16})$/m.exec(launcher)?.[1];
  const offset = /^offset=(\d+)$/m.exec(launcher)?.[1];
  if (!launcher.startsWith("#!") || id === undefined || offset === undefined) return undefined;
  return { id, files: await findFiles(parts, Number(offset) - 1) };
}

/** The regular files of a tar archive in the ustar format, which begins at `offset`. */
async function findFiles(parts: FileParts, offset: number): Promise<readonly CarriedFile[]> {
  const files: CarriedFile[] = [];
  for (let at = offset;;) {
    const header = await bytesOf(parts, at, at + BLOCK);
    if (header[0] === 0) return files;
    const text = (from: number, length: number) => textOf(header.subarray(from, from + length));
    if (text(257, 5) !== "ustar") {
      throw new Error(`The executable is damaged: at byte ${at} there is no file of its archive`);
    }
    const [mode, size] = [parseInt(text(100, 8), 8), parseInt(text(124, 12), 8)];
    const start = at + BLOCK;
    if (text(156, 1) === "0") files.push({ path: text(0, 100), mode, start, size });
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}

async function bytesOf(parts: FileParts, start: number, end: number): Promise<Uint8Array> {
  if (end > parts.size) throw new Error(`The executable is cut off after ${parts.size} bytes`);
  const bytes = new Uint8Array(end - start);
  let at = 0;
  for await (const piece of readParts(parts, start, end)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Up to the first zero. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\0.*/s, "");
}
