/** The files in crds, made from the schemas in src/api; scripts/gen.ts writes them. */

import { stringify } from "yaml";
import { type JsonObject, lanCrd, lanNodeCrd } from "../src/api/crd.ts";

/** Each generated file, and the object in it. */
export const CRD_FILES: readonly (readonly [URL, JsonObject])[] = [
  [new URL("../crds/lan.yaml", import.meta.url), lanCrd()],
  [new URL("../crds/lannode.yaml", import.meta.url), lanNodeCrd()],
];

const HEADER = "# Generated from src/api by scripts/gen.ts; do not edit.\n";

/** The text of the file of a CRD. */
export function renderCrd(crd: JsonObject): string {
  return HEADER + stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false });
}
