import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { K8slanError } from "../base/errors.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import { ServerContact } from "./server_contact.ts";

const DOWN = new K8slanError("ApiServerUnreachable", "nobody there", { retriable: true });
const DOUBTED = new K8slanError("SuddenlyEmpty", "all gone", { retriable: true });
const FORBIDDEN = kubeErrorOf("list lans", 403, "not you");

function failed(error: unknown) {
  return { error, during: "list", next: "list", afterMs: 500 } as const;
}

const rows: readonly (readonly [string, readonly unknown[], string | undefined])[] = [
  ["nothing of one failure that may pass", [DOWN], undefined],
  ["a failure that lasts", [DOWN, DOWN], "ApiServerUnreachable"],
  ["a refusal at once", [FORBIDDEN], "Forbidden"],
  ["a list that cannot be believed at once", [DOUBTED], "SuddenlyEmpty"],
  ["what it is now", [DOWN, DOWN, FORBIDDEN], "Forbidden"],
  ["a failure of no kind", [new Error("what")], "ApiServerFailed"],
];

for (const [what, errors, reason] of rows) {
  Deno.test(`ServerContact shows ${what}`, () => {
    const contact = new ServerContact(new LogRecorder(), () => {});
    for (const error of errors) contact.trouble("lans", failed(error));
    assert.equal(contact.problem?.reason, reason);
    contact.contact("lans");
    assert.equal(contact.problem, undefined);
  });
}

Deno.test("ServerContact keeps to its words while the reason is the same", () => {
  const contact = new ServerContact(new LogRecorder(), () => {});
  contact.trouble("lans", failed(DOWN));
  const other = new K8slanError("ApiServerUnreachable", "still nobody", { retriable: true });
  contact.trouble("lans", failed(other));
  assert.equal(
    contact.problem?.message,
    "nobody there; meanwhile LANs are taken as they were last known",
  );
});

Deno.test("ServerContact is well only when all watchers are", () => {
  const contact = new ServerContact(new LogRecorder(), () => {});
  for (const name of ["lans", "lannodes"]) contact.trouble(name, failed(FORBIDDEN));
  contact.contact("lans");
  assert.equal(contact.problem?.reason, "Forbidden");
  contact.contact("lannodes");
  assert.equal(contact.problem, undefined);
});

Deno.test("ServerContact logs the return of a server that was missed, and nothing else for people", () => {
  const log = new LogRecorder();
  let changes = 0;
  const contact = new ServerContact(log, () => changes++);
  contact.contact("lans");
  contact.trouble("lans", failed(DOWN));
  contact.contact("lans");
  for (let n = 0; n < 100; n++) contact.trouble("lans", failed(DOWN));
  contact.contact("lans");
  assert.deepEqual(log.messages("info"), ["The API server answers again"]);
  assert.deepEqual(log.messages("warn"), []);
  assert.equal(changes, 103);
});
