import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { clusterLayout } from "./layout.ts";

Deno.test("clusterLayout() gives nodes names that no other cluster has", () => {
  const names = (cluster: string) => clusterLayout(cluster, 2).nodes.map(({ name }) => name);
  deepStrictEqual(names("default"), ["worker1", "worker2"]);
  deepStrictEqual(names("other"), ["other-worker1", "other-worker2"]);
});

Deno.test("clusterLayout() gives nodes addresses and pod networks of their own", () => {
  const [first, second] = clusterLayout("default", 2).nodes;
  strictEqual(first?.address, "172.30.0.11");
  strictEqual(second?.address, "172.30.0.12");
  strictEqual(second?.podSubnet, "10.244.2.0/24");
});

for (const name of ["", "-a", "a-", "A", "a/b", "..", "a b", "x".repeat(21)]) {
  Deno.test(`clusterLayout() refuses the name "${name}"`, () => {
    throws(() => clusterLayout(name, 1), /expected up to 20/);
  });
}

for (const nodes of [0, 9, 1.5, NaN]) {
  Deno.test(`clusterLayout() refuses ${nodes} nodes`, () => {
    throws(() => clusterLayout("default", nodes), /expected 1 to 8/);
  });
}
