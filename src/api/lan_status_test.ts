import assert from "node:assert/strict";
import { LAN_STATUS_CORPUS } from "../../tests/support/lan_status_corpus.ts";
import { lanStatusSchema } from "./lan_status.ts";

for (const { name, status, bad } of LAN_STATUS_CORPUS) {
  Deno.test(`lanStatusSchema ${bad.length === 0 ? "takes" : "refuses"} ${name}`, () => {
    const { error } = lanStatusSchema.safeParse(status);
    const paths = error?.issues.map(({ path }) =>
      path.map((step) => typeof step === "number" ? `[${step}]` : `.${String(step)}`).join("")
        .slice(1)
    );
    assert.deepEqual([...new Set(paths)], bad);
  });
}
