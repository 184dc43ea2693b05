import assert from "node:assert/strict";
import { type AdmissionAnswer, decodeReview, encodeReview } from "./webhook_review.ts";

const REQUEST = {
  uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
  operation: "CREATE",
  resource: { group: "lan.k8slan.io", version: "v1beta1", resource: "lans" },
  object: { spec: {} },
  oldObject: null,
};

function review(request: unknown): object {
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
}

Deno.test("decodeReview() reads what the API server sends", () => {
  assert.deepEqual(decodeReview(review(REQUEST)), {
    uid: REQUEST.uid,
    operation: "CREATE",
    resource: "lans.lan.k8slan.io",
    object: { spec: {} },
  });
  const status = decodeReview(review({ ...REQUEST, subResource: "status" }));
  assert.equal(status.resource, "lans.lan.k8slan.io/status");
  const core = decodeReview(review({ ...REQUEST, resource: { resource: "pods" } }));
  assert.equal(core.resource, "pods.");
});

Deno.test("decodeReview() tells the namespace, where there is one", () => {
  assert.equal(decodeReview(review({ ...REQUEST, namespace: "home" })).namespace, "home");
  assert.equal(decodeReview(review(REQUEST)).namespace, undefined);
  assert.throws(() => decodeReview(review({ ...REQUEST, namespace: 1 })), { code: "BadReview" });
});

Deno.test("decodeReview() refuses everything else", () => {
  const cases: readonly unknown[] = [
    null,
    1,
    "x",
    [],
    {},
    review(undefined),
    review([]),
    { ...review(REQUEST), apiVersion: "admission.k8s.io/v1beta1" },
    { ...review(REQUEST), kind: "Review" },
    review({ ...REQUEST, uid: "" }),
    review({ ...REQUEST, uid: "x".repeat(254) }),
    review({ ...REQUEST, uid: { toString: "x" } }),
    review({ ...REQUEST, operation: 1 }),
    review({ ...REQUEST, resource: "lans" }),
    review({ ...REQUEST, resource: { group: 1, resource: "lans" } }),
  ];
  for (const value of cases) {
    assert.throws(() => decodeReview(value), { code: "BadReview" }, JSON.stringify(value));
  }
});

function responseOf(answer: AdmissionAnswer): Readonly<Record<string, unknown>> {
  const encoded = encodeReview("u", answer);
  assert.equal(Reflect.get(encoded, "kind"), "AdmissionReview");
  return Reflect.get(encoded, "response");
}

Deno.test("encodeReview() answers yes", () => {
  assert.deepEqual(responseOf({ allowed: true, warnings: [] }), { uid: "u", allowed: true });
  const { warnings } = responseOf({ allowed: true, warnings: ["a", "b".repeat(300)] });
  assert.deepEqual(warnings, ["a", `${"b".repeat(255)}…`]);
});

Deno.test("encodeReview() carries changes as the API server takes them", () => {
  const patch = [{ op: "add", path: "/spec/x~1y", value: "\u2026" }] as const;
  const response = responseOf({ allowed: true, warnings: [], patch });
  assert.equal(response["patchType"], "JSONPatch");
  const bytes = Uint8Array.from(atob(String(response["patch"])), (char) => char.charCodeAt(0));
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), patch);
  const none = responseOf({ allowed: true, warnings: [], patch: [] });
  assert.deepEqual(none, { uid: "u", allowed: true });
});

Deno.test("encodeReview() answers no, with each cause and a sentence of all", () => {
  const causes = [
    { reason: "FieldValueInvalid", field: "spec.vni", message: "is required" },
    { reason: "FieldValueInvalid", field: "", message: "is odd" },
  ];
  assert.deepEqual(responseOf({ allowed: false, name: "a", causes, warnings: [] }), {
    uid: "u",
    allowed: false,
    status: {
      status: "Failure",
      code: 422,
      reason: "Invalid",
      message: "spec.vni is required; is odd",
      details: { group: "lan.k8slan.io", kind: "LAN", name: "a", causes },
    },
  });
});

Deno.test("encodeReview() names 20 causes at most", () => {
  const cause = { reason: "FieldValueInvalid", field: "spec", message: "is odd" };
  const causes = Array.from({ length: 5_000 }, () => cause);
  const { status } = responseOf({ allowed: false, name: "a", causes, warnings: [] });
  assert.match(JSON.stringify(status), /; and 4980 more/);
  assert.ok(JSON.stringify(status).length < 4_000);
});
