import { deepEqual, equal } from "node:assert/strict";
import { lanObject } from "../../tests/support/kube_objects.ts";
import type { LanObject } from "./resources.ts";
import { Store } from "./store.ts";

const LABELLED = (name: string, version: string, labels: Record<string, string>): LanObject => {
  const { metadata, ...rest } = lanObject(name, version);
  return { ...rest, metadata: { ...metadata, labels } };
};

const names = (objects: readonly LanObject[]) =>
  objects.map(({ metadata }) => metadata.name).sort();

Deno.test("Store keeps the last state of each object", () => {
  const store = new Store<LanObject>();
  store.apply({ type: "applied", object: lanObject("a", "1") });
  store.apply({ type: "applied", object: lanObject("a", "2") });
  store.apply({ type: "applied", object: lanObject("b", "3") });
  store.apply({ type: "deleted", object: lanObject("b", "4") });
  store.apply({ type: "deleted", object: lanObject("c", "5") });
  equal(store.size, 1);
  equal(store.get({ namespace: "default", name: "a" })?.metadata.resourceVersion, "2");
  equal(store.get({ namespace: "other", name: "a" }), undefined);
  deepEqual(names(store.values()), ["a"]);
});

Deno.test("Store.synced resolves when everything has been told", async () => {
  const store = new Store<LanObject>();
  equal(store.isSynced, false);
  store.apply({ type: "synced" });
  equal(store.isSynced, true);
  await store.synced;
});

Deno.test("Store.index() finds objects by any value, also those that were there before", () => {
  const store = new Store<LanObject>();
  store.apply({ type: "applied", object: LABELLED("a", "1", { x: "1", y: "2" }) });
  const index = store.index(({ metadata }) => Object.values(metadata.labels ?? {}));
  store.apply({ type: "applied", object: LABELLED("b", "2", { x: "2" }) });
  deepEqual(["1", "2", "3"].map((value) => names(index.get(value))), [["a"], ["a", "b"], []]);
  store.apply({ type: "applied", object: LABELLED("a", "3", { x: "3" }) });
  deepEqual(["1", "2", "3"].map((value) => names(index.get(value))), [[], ["b"], ["a"]]);
  store.apply({ type: "deleted", object: LABELLED("b", "4", {}) });
  deepEqual(["1", "2", "3"].map((value) => names(index.get(value))), [[], [], ["a"]]);
});
