import assert from "node:assert/strict";
import { K8slanError } from "../base/errors.ts";
import { isOurSocketName, socketName } from "./resource_name.ts";

Deno.test("socketName() is made of the name behind the domain", () => {
  assert.equal(socketName("macvtap.k8slan.io/pod1"), "k8slan-pod1.sock");
  assert.equal(socketName("a/b"), "k8slan-b.sock");
  assert.ok(isOurSocketName(socketName("macvtap.k8slan.io/a-b.c")));
});

const BAD = [
  "",
  "pod1",
  "/pod1",
  "macvtap.k8slan.io/",
  "macvtap.k8slan.io/..",
  "macvtap.k8slan.io/../../etc",
  "macvtap.k8slan.io/a/b",
  "macvtap.k8slan.io/A",
  "macvtap.k8slan.io/-a",
  "macvtap.k8slan.io/a\n",
  "macvtap.k8slan.io/a\u0000b",
  "macvtap.k8slan.io/é",
  "../x/pod1",
  `macvtap.k8slan.io/${"a".repeat(64)}`,
];

for (const name of BAD) {
  Deno.test(`socketName() refuses ${JSON.stringify(name)}`, () => {
    assert.throws(
      () => socketName(name),
      (error) => error instanceof K8slanError && error.code === "BadResourceName",
    );
  });
}

for (const name of ["kubelet.sock", "k8slan-pod1", "nvidia.sock", "my-k8slan-pod1.sock"]) {
  Deno.test(`isOurSocketName() leaves "${name}" to others`, () => {
    assert.equal(isOurSocketName(name), false);
  });
}
