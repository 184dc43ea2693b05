/**
 * Writes the files in crds from the schemas in src/api; with `--check` only compares.
 *
 *     deno run --allow-read --allow-write scripts/gen_crds.ts [--check]
 */

import { stringify } from "yaml";
import { type JsonObject, lanCrd, lanNodeCrd } from "../src/api/crd.ts";

/** Each generated file, and the object in it. */
export const CRD_FILES: readonly (readonly [URL, JsonObject])[] = [
  [new URL("../crds/lan.yaml", import.meta.url), lanCrd()],
  [new URL("../crds/lannode.yaml", import.meta.url), lanNodeCrd()],
];

const HEADER = "# Generated from src/api by scripts/gen_crds.ts; do not edit.\n";

/** The text of the file of a CRD. */
export function renderCrd(crd: JsonObject): string {
  return HEADER + stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false });
}

async function stored(file: URL): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  for (const [file, crd] of CRD_FILES) {
    const wanted = renderCrd(crd);
    if (await stored(file) === wanted) continue;
    if (Deno.args.includes("--check")) {
      const name = file.pathname.slice(file.pathname.lastIndexOf("crds/"));
      const say = `${name} differs from the schema in src/api; mend it with: deno task gen\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(say));
      Deno.exit(1);
    }
    await Deno.writeTextFile(file, wanted);
  }
}
