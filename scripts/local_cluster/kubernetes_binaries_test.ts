import { match, strictEqual, throws } from "node:assert/strict";
import { kubernetesVersion, versionFlags } from "./kubernetes_binaries.ts";

const FORMS = {
  "on a line of its own": "module x\n\nrequire k8s.io/kubernetes v1.34.4\n",
  "in a block": "require (\n\tk8s.io/kubelet v0.1.2\n\tk8s.io/kubernetes v1.34.4\n)\n",
  "with a comment": "require (\n\tk8s.io/kubernetes v1.34.4 // indirect\n)\n",
};

for (const [form, modules] of Object.entries(FORMS)) {
  Deno.test(`kubernetesVersion() finds the requirement ${form}`, () => {
    strictEqual(kubernetesVersion(modules), "v1.34.4");
  });
}

Deno.test("kubernetesVersion() refuses a module without the requirement", () => {
  throws(() => kubernetesVersion("replace k8s.io/kubernetes v1.34.4 => ./x"), /requires no/);
});

Deno.test("versionFlags() tells every part of the version", () => {
  const flags = versionFlags("v1.34.4");
  match(flags, /component-base\/version\.gitVersion=v1\.34\.4/);
  match(flags, /component-base\/version\.gitMajor=1 /);
  match(flags, /component-base\/version\.gitMinor=34 /);
});
