/**
 * Writes crds/lan.yaml from the schema in src/api; with `--check` only compares.
 *
 *     deno run --allow-read --allow-write scripts/gen_crds.ts [--check]
 */

import { stringify } from "yaml";
import { lanCrd } from "../src/api/crd.ts";

export const CRD_FILE: URL = new URL("../crds/lan.yaml", import.meta.url);

const HEADER = "# Generated from src/api by scripts/gen_crds.ts; do not edit.\n";

/** The text of crds/lan.yaml. */
export function renderCrd(): string {
  return HEADER + stringify(lanCrd(), { lineWidth: 0, aliasDuplicateObjects: false });
}

async function stored(): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(CRD_FILE);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  const wanted = renderCrd();
  if (await stored() === wanted) Deno.exit(0);
  if (Deno.args.includes("--check")) {
    const say = "crds/lan.yaml differs from the schema in src/api; mend it with: " +
      "deno run --allow-read --allow-write scripts/gen_crds.ts\n";
    Deno.stderr.writeSync(new TextEncoder().encode(say));
    Deno.exit(1);
  }
  await Deno.writeTextFile(CRD_FILE, wanted);
}
