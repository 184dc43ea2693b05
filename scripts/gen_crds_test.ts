import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { parse } from "yaml";
import { lanCrd } from "../src/api/crd.ts";
import { CRD_FILE, renderCrd } from "./gen_crds.ts";

Deno.test("renderCrd() gives what is stored in crds/lan.yaml", async () => {
  strictEqual(await Deno.readTextFile(CRD_FILE), renderCrd());
});

Deno.test("renderCrd() is YAML of the CRD, without anchors", () => {
  deepStrictEqual(parse(renderCrd()), lanCrd());
  strictEqual(/[&*]\w+\s*$/m.test(renderCrd()), false);
});
