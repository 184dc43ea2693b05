/** The image's layers with the program, made of the one executable in either of its forms. */

import { type ArchiveEntry, findFiles } from "./build_archive.ts";
import { LAUNCHER_BYTES } from "./build_unpacking.ts";
import { ENTRYPOINT, HOST_EXECUTABLE } from "./image_layout.ts";

const PROGRAM = ENTRYPOINT.slice(1);
const FOLDER = PROGRAM.slice(0, PROGRAM.lastIndexOf("/"));
const HOST = HOST_EXECUTABLE.slice(1);
const RUNTIME = `${FOLDER}/lib/k8slan`;

export interface ProgramLayers {
  /** What stays the same from one version to the next; without entries for a compiled program. */
  readonly runtime: readonly ArchiveEntry[];
  readonly program: readonly ArchiveEntry[];
}

/**
 * A compiled program is one file. The form that unpacks itself needs a shell, which the image has
 * not, so it lies there unpacked, started by the kernel's own "#!". Deno, the most of it, is in the
 * image once: the agent puts the executable together again from what is before Deno, Deno, and what
 * is behind it.
 */
export function programLayers(executable: Uint8Array): ProgramLayers {
  if (new TextDecoder().decode(executable.subarray(0, 2)) !== "#!") {
    const file = { path: PROGRAM, mode: 0o755, bytes: executable };
    return { runtime: [], program: [file, { path: HOST, target: basename(PROGRAM) }] };
  }
  const files = findFiles(executable, LAUNCHER_BYTES);
  const deno = files.find(({ path }) => path === "k8slan");
  if (deno === undefined) throw new Error("The executable carries no Deno");
  const end = deno.start + deno.size;
  const bytes = executable.subarray(deno.start, end);
  const program: ArchiveEntry[] = [
    { path: PROGRAM, mode: 0o755, bytes: encode(STARTER) },
    // Read by Deno because it lies beside its main module; "#!" passes one word alone.
    { path: `${FOLDER}/deno.json`, mode: 0o644, bytes: encode(CONFIG) },
    { path: `${HOST}/1-launcher`, mode: 0o644, bytes: executable.subarray(0, deno.start) },
    { path: `${HOST}/2-deno`, target: `../${RUNTIME.slice(FOLDER.length + 1)}` },
    { path: `${HOST}/3-end`, mode: 0o644, bytes: executable.subarray(end) },
  ];
  for (const { path, mode, start, size } of files.filter((file) => file !== deno)) {
    program.push({
      path: `${FOLDER}/${path}`,
      mode,
      bytes: executable.subarray(start, start + size),
    });
  }
  return { runtime: [{ path: RUNTIME, mode: 0o755, bytes }], program };
}

const STARTER = `#!/${RUNTIME} -A\nimport "./app/main.js";\n`;

const CONFIG = JSON.stringify({ lock: false, unstable: ["net"] }) + "\n";

/** `entries` and all folders that they lie in. */
export function withFolders(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const known = new Set(entries.map(({ path }) => path));
  const all = [...entries];
  for (const { path } of entries) {
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
      const folder = path.slice(0, end);
      if (!known.has(folder)) all.push({ path: folder, mode: 0o755 });
      known.add(folder);
    }
  }
  return all;
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
