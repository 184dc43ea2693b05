import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { parse } from "yaml";
import { CRD_FILES, renderCrd } from "./gen_crds.ts";

for (const [file, crd] of CRD_FILES) {
  const name = file.pathname.slice(file.pathname.lastIndexOf("/") + 1);

  Deno.test(`renderCrd() gives what is stored in crds/${name}`, async () => {
    strictEqual(await Deno.readTextFile(file), renderCrd(crd));
  });

  Deno.test(`renderCrd() makes crds/${name} YAML of the CRD, without anchors`, () => {
    deepStrictEqual(parse(renderCrd(crd)), crd);
    strictEqual(/[&*]\w+\s*$/m.test(renderCrd(crd)), false);
  });
}
