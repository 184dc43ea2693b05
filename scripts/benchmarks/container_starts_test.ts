import { deepStrictEqual } from "node:assert/strict";
import { parseStart } from "./container_starts.ts";

Deno.test("parseStart() reads the moment with its fraction, and the container", () => {
  const line =
    '2026-01-31 12:00:00.25025 +0000 UTC k8s.io /tasks/start {"container_id":"c1","pid":7}';
  const at = Date.UTC(2026, 0, 31, 12) + 250.25;
  deepStrictEqual(parseStart(line), { id: "c1", at });
});

Deno.test("parseStart() passes over other events", () => {
  const line = '2026-01-31 12:00:00.5 +0000 UTC k8s.io /tasks/exit {"container_id":"c1","pid":7}';
  deepStrictEqual(parseStart(line), undefined);
});
