import assert from "node:assert/strict";
import { permissionLines } from "./rbac_text.ts";

Deno.test("permissionLines() joins what is allowed on one resource, in a fixed order", () => {
  const lines = permissionLines([
    { group: "", resources: ["nodes", "pods"], verbs: ["watch", "get"] },
    { group: "", resources: ["nodes"], verbs: ["list"] },
    { group: "a.io", resources: ["things/status"], verbs: ["patch"] },
    { group: "a.io", resources: ["things"], names: ["x", "y"], verbs: ["get"] },
  ]);
  assert.deepEqual(lines, [
    "nodes: get list watch",
    "pods: get watch",
    'things.a.io "x": get',
    'things.a.io "y": get',
    "things.a.io/status: patch",
  ]);
});
