/** What every KubeApi does, the fake as the real one. */

import assert from "node:assert/strict";
import { reconcileWithFinalizer } from "../../src/kube/finalizer.ts";
import type { KubeApi, WatchEvent } from "../../src/kube/kube_api.ts";
import { isAlreadyExists, isConflict, isInvalid, isNotFound } from "../../src/kube/kube_error.ts";
import { keyOf, type KubeObject } from "../../src/kube/objects.ts";
import { type LanObject, LANS, type Lease, LEASES } from "../../src/kube/resources.ts";

export interface KubeWorld {
  readonly api: KubeApi;
  /** A namespace that holds nothing yet. */
  readonly namespace: string;
}

export interface KubeBehaviour {
  readonly name: string;
  run(world: KubeWorld): Promise<void>;
}

const SPEC = { ns: "knlvrf", bridge: "br2", vxlan: "vx2", vni: 222, spokes: ["pod1", "pod2"] };
const FINALIZER = "lan.k8slan.io/test";

async function makeLease(
  { api, namespace }: KubeWorld,
  name = "a",
  labels: Record<string, string> = {},
): Promise<Lease> {
  const spec = { holderIdentity: "one", leaseDurationSeconds: 15 };
  return await api.create(LEASES, { metadata: { name, namespace, labels }, spec });
}

async function makeLan(
  { api, namespace }: KubeWorld,
  finalizers: readonly string[] = [],
): Promise<LanObject> {
  const metadata = { name: "lan1", namespace, ...(finalizers.length > 0 ? { finalizers } : {}) };
  return await api.create(LANS, { metadata, spec: SPEC });
}

const version = ({ metadata }: KubeObject) => metadata.resourceVersion;

const names = (items: readonly KubeObject[]) => items.map(({ metadata }) => metadata.name);

const writing: KubeBehaviour[] = [
  {
    name: "create() gives an identity and a version; get() finds the object",
    async run(world) {
      const made = await makeLease(world);
      assert.equal(made.kind, "Lease");
      assert.ok(made.metadata.uid && made.metadata.creationTimestamp);
      assert.deepEqual(await world.api.get(LEASES, keyOf(made)), made);
    },
  },
  {
    name: "create() refuses a name that is taken",
    async run(world) {
      await makeLease(world);
      await assert.rejects(makeLease(world), isAlreadyExists);
    },
  },
  {
    name: "get(), delete(), replace() and patch() of what isn't there",
    async run(world) {
      const { api, namespace } = world;
      const key = { namespace, name: "nothing" };
      assert.equal(await api.get(LEASES, key), undefined);
      assert.equal(await api.delete(LEASES, key), false);
      await assert.rejects(api.patch(LEASES, key, { type: "merge", body: {} }), isNotFound);
      const lease = await makeLease(world);
      await api.delete(LEASES, keyOf(lease));
      // A real server takes a PUT with a UID for one about another object.
      await assert.rejects(
        api.replace(LEASES, lease),
        (error) => isNotFound(error) || isConflict(error),
      );
    },
  },
  {
    name: "replace() writes the version it was given, and no other",
    async run(world) {
      const { api } = world;
      const old = await makeLease(world);
      const next = await api.replace(LEASES, { ...old, spec: { holderIdentity: "two" } });
      assert.notEqual(version(next), version(old));
      assert.deepEqual(next.spec, { holderIdentity: "two" });
      await assert.rejects(api.replace(LEASES, { ...old, spec: {} }), isConflict);
      assert.deepEqual(await api.get(LEASES, keyOf(old)), next);
    },
  },
  {
    name: "replace() of an object by itself changes no version",
    async run(world) {
      const lan = await makeLan(world);
      assert.equal(version(await world.api.replace(LANS, lan)), version(lan));
    },
  },
  {
    name: "patch() merges: null removes, lists are replaced, a stale version is refused",
    async run(world) {
      const { api } = world;
      const lease = await makeLease(world, "a", { x: "1", y: "2" });
      const key = keyOf(lease);
      const body = { metadata: { labels: { x: null, z: "3" } }, spec: { holderIdentity: "two" } };
      const next = await api.patch(LEASES, key, { type: "merge", body });
      assert.deepEqual(next.metadata.labels, { y: "2", z: "3" });
      assert.deepEqual(next.spec, { holderIdentity: "two", leaseDurationSeconds: 15 });
      const stale = { metadata: { resourceVersion: version(lease) }, spec: {} };
      await assert.rejects(
        api.patch(LEASES, key, {
          type: "merge",
          body: { ...stale, spec: { holderIdentity: "x" } },
        }),
        isConflict,
      );
      const lan = await makeLan(world);
      const changed = { spec: { spokes: ["pod3"] } };
      const patched = await api.patch(LANS, keyOf(lan), { type: "merge", body: changed });
      assert.deepEqual(Reflect.get(Object(patched.spec), "spokes"), ["pod3"]);
    },
  },
  {
    name: "patch() by steps does all or nothing",
    async run(world) {
      const { api } = world;
      const lease = await makeLease(world);
      const key = keyOf(lease);
      const path = "/spec/holderIdentity";
      const failing = [
        { op: "replace", path, value: "two" } as const,
        { op: "test", path: "/metadata/uid", value: "another" } as const,
      ];
      await assert.rejects(api.patch(LEASES, key, { type: "json", steps: failing }), isInvalid);
      assert.deepEqual(await api.get(LEASES, key), lease);
      const steps = [
        { op: "test", path: "/metadata/uid", value: lease.metadata.uid } as const,
        { op: "test", path: "/metadata/annotations", value: null } as const,
        { op: "add", path: "/metadata/annotations", value: { "a/b": "1" } } as const,
        { op: "replace", path: "/metadata/annotations/a~1b", value: "2" } as const,
        { op: "remove", path: "/spec/leaseDurationSeconds" } as const,
      ];
      const next = await api.patch(LEASES, key, { type: "json", steps });
      assert.deepEqual(next.metadata.annotations, { "a/b": "2" });
      assert.deepEqual(next.spec, { holderIdentity: "one" });
    },
  },
  {
    name: "patch() applies: makes the object, owns its fields, leaves those of others",
    async run({ api, namespace }) {
      const key = { namespace, name: "lan1" };
      const apply = (fieldManager: string, body: object) =>
        api.patch(LANS, key, { type: "apply", body, fieldManager });
      const body = { metadata: { labels: { a: "1", b: "2" } }, spec: SPEC };
      const made = await apply("one", body);
      assert.deepEqual(made.metadata.labels, { a: "1", b: "2" });
      await apply("two", { metadata: { labels: { c: "3" } } });
      const next = await apply("one", { ...body, metadata: { labels: { a: "4" } } });
      assert.deepEqual(next.metadata.labels, { a: "4", c: "3" });
      assert.equal(next.metadata.uid, made.metadata.uid);
      const same = await apply("one", { ...body, metadata: { labels: { a: "4" } } });
      assert.equal(version(same), version(next));
    },
  },
  {
    name: "status and spec are written apart; the generation counts the specs",
    async run(world) {
      const { api } = world;
      const lan = await makeLan(world);
      const key = keyOf(lan);
      assert.deepEqual([lan.metadata.generation, lan.status], [1, undefined]);
      const body = { spec: { vni: 5 }, status: { spokes: 2 } };
      const status = { subresource: "status" } as const;
      const told = await api.patch(LANS, key, { type: "merge", body }, status);
      assert.deepEqual([told.status, told.metadata.generation], [{ spokes: 2 }, 1]);
      assert.deepEqual(told.spec, lan.spec);
      const spokes = { spec: { spokes: ["pod1"] }, status: { spokes: 9 } };
      const next = await api.patch(LANS, key, { type: "merge", body: spokes });
      assert.deepEqual([next.status, next.metadata.generation], [{ spokes: 2 }, 2]);
      const applied = await api.patch(
        LANS,
        key,
        { type: "apply", body: { status: { attached: 1 } }, fieldManager: "k8slan" },
        status,
      );
      assert.deepEqual(applied.status, { spokes: 2, attached: 1 });
      const whole = await api.replace(LANS, { ...applied, status: { nodes: 1 } }, status);
      assert.deepEqual([whole.status, whole.spec], [{ nodes: 1 }, next.spec]);
    },
  },
  {
    name: "beforeSend() stops what it throws at",
    async run(world) {
      const lease = await makeLease(world);
      const beforeSend = () => {
        throw new Error("no");
      };
      await assert.rejects(world.api.delete(LEASES, keyOf(lease), { beforeSend }));
      assert.deepEqual(await world.api.get(LEASES, keyOf(lease)), lease);
    },
  },
];

const deleting: KubeBehaviour[] = [
  {
    name: "delete() minds the UID and the version it was given",
    async run(world) {
      const { api } = world;
      const lease = await makeLease(world);
      const key = keyOf(lease);
      await assert.rejects(api.delete(LEASES, key, { uid: "another" }), isConflict);
      await assert.rejects(api.delete(LEASES, key, { resourceVersion: "1" }), isConflict);
      const { uid, resourceVersion } = lease.metadata;
      assert.equal(await api.delete(LEASES, key, { uid, resourceVersion }), true);
      assert.equal(await api.get(LEASES, key), undefined);
    },
  },
  {
    name: "delete() of what has a finalizer waits until it is taken away",
    async run(world) {
      const { api } = world;
      const lan = await makeLan(world, [FINALIZER]);
      const key = keyOf(lan);
      assert.equal(await api.delete(LANS, key), true);
      const dying = await api.get(LANS, key);
      assert.ok(dying?.metadata.deletionTimestamp);
      assert.equal(await api.delete(LANS, key), true);
      const steps = [{ op: "remove", path: "/metadata/finalizers/0" } as const];
      await api.patch(LANS, key, { type: "json", steps });
      assert.equal(await api.get(LANS, key), undefined);
    },
  },
  {
    name: "reconcileWithFinalizer() stores, applies, cleans up and lets go, beside others",
    async run(world) {
      const { api } = world;
      for (const others of [[], ["other.example/x"]]) {
        let object: LanObject | undefined = await makeLan(world, others);
        const key = keyOf(object);
        const done: string[] = [];
        const turn = async () => {
          assert.ok(object !== undefined);
          await reconcileWithFinalizer(api, LANS, object, FINALIZER, {
            apply: () => Promise.resolve(void done.push("apply")),
            cleanup() {
              done.push("cleanup");
              return Promise.resolve(done.length < 3 ? { requeueAfterMs: 1 } : "done");
            },
          });
          object = await api.get(LANS, key);
        };
        await turn();
        assert.deepEqual([done, object.metadata.finalizers], [[], [...others, FINALIZER]]);
        await turn();
        await api.delete(LANS, key);
        object = await api.get(LANS, key);
        await turn();
        assert.deepEqual(done, ["apply", "cleanup"]);
        assert.ok(object !== undefined);
        await turn();
        assert.deepEqual(object?.metadata.finalizers, others.length > 0 ? others : undefined);
        if (object === undefined) continue;
        await turn(); // held by others alone: none of our business
        assert.deepEqual(done, ["apply", "cleanup", "cleanup"]);
        const steps = [{ op: "remove", path: "/metadata/finalizers/0" } as const];
        await api.patch(LANS, key, { type: "json", steps });
      }
    },
  },
  {
    name: "reconcileWithFinalizer() touches neither a changed list nor another object",
    async run(world) {
      const { api } = world;
      const work = {
        apply: () => Promise.resolve(),
        cleanup: () => Promise.resolve("done" as const),
      };
      const lan = await makeLan(world);
      const steps = [{ op: "add", path: "/metadata/finalizers", value: ["other.example/x"] }];
      await api.patch(LANS, keyOf(lan), { type: "json", steps: steps as [] });
      await assert.rejects(reconcileWithFinalizer(api, LANS, lan, FINALIZER, work), isInvalid);
      const { metadata } = lan;
      const another = { ...lan, metadata: { ...metadata, uid: "another", finalizers: ["x"] } };
      await assert.rejects(reconcileWithFinalizer(api, LANS, another, FINALIZER, work), isInvalid);
      assert.deepEqual((await api.get(LANS, keyOf(lan)))?.metadata.finalizers, ["other.example/x"]);
      await api.patch(LANS, keyOf(lan), {
        type: "merge",
        body: { metadata: { finalizers: null } },
      });
    },
  },
];

const reading: KubeBehaviour[] = [
  {
    name: "list() gives pages that hold everything once, of one version",
    async run(world) {
      const { api, namespace } = world;
      for (const name of ["a", "b", "c", "d", "e"]) await makeLease(world, name);
      const found: string[] = [];
      const versions = new Set<string>();
      let next: string | undefined;
      do {
        const more = next === undefined ? {} : { continue: next };
        const page = await api.list(LEASES, { namespace, limit: 2, ...more });
        found.push(...names(page.items));
        versions.add(page.resourceVersion);
        next = page.continue;
      } while (next !== undefined);
      assert.deepEqual(found, ["a", "b", "c", "d", "e"]);
      assert.equal(versions.size, 1);
    },
  },
  {
    name: "list() gives what is selected alone",
    async run(world) {
      const { api, namespace } = world;
      await makeLease(world, "a", { x: "1", y: "1" });
      await makeLease(world, "b", { x: "2" });
      await makeLease(world, "c");
      const rows = [
        [{ labelSelector: "x" }, ["a", "b"]],
        [{ labelSelector: "x=1,y=1" }, ["a"]],
        [{ labelSelector: "x!=1" }, ["b", "c"]],
        [{ fieldSelector: "metadata.name=b" }, ["b"]],
        [{}, ["a", "b", "c"]],
      ] as const;
      for (const [selection, expected] of rows) {
        const { items } = await api.list(LEASES, { namespace, ...selection });
        assert.deepEqual(names(items), expected);
      }
      assert.deepEqual((await api.list(LEASES, { namespace: "nowhere" })).items, []);
    },
  },
  {
    name: "watch() tells all changes after a list, in order",
    async run(world) {
      const { api, namespace } = world;
      const first = await makeLease(world, "a", { x: "1" });
      const { resourceVersion } = await api.list(LEASES, { namespace });
      const watching = watched(world, resourceVersion, "x=1", 6);
      await makeLease(world, "b", { x: "1" });
      const relabel = (name: string, x: string) =>
        api.patch(LEASES, { namespace, name }, {
          type: "merge",
          body: { metadata: { labels: { x } } },
        });
      await makeLease(world, "hidden", { x: "2" });
      await relabel("a", "2");
      await relabel("a", "1");
      await relabel("hidden", "1");
      await api.patch(LEASES, { namespace, name: "b" }, {
        type: "merge",
        body: { spec: { holderIdentity: "two" } },
      });
      await api.delete(LEASES, keyOf(first));
      assert.deepEqual(await watching, [
        "added b",
        "deleted a",
        "added a",
        "added hidden",
        "modified b",
        "deleted a",
      ]);
    },
  },
  {
    name: "watch() says when it is open, though there is nothing to tell",
    async run({ api, namespace }) {
      const { resourceVersion } = await api.list(LEASES, { namespace });
      const stop = new AbortController();
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]);
      const onOpen = () => stop.abort(new Error("open"));
      const options = { namespace, resourceVersion, signal, onOpen };
      const watching = api.watch(LEASES, { ...options, fieldSelector: "metadata.name=none" });
      await assert.rejects(watching.next(), /^Error: open$/);
    },
  },
  {
    name: "watch() ends when its signal fires",
    async run({ api, namespace }) {
      const { resourceVersion } = await api.list(LEASES, { namespace });
      const stop = new AbortController();
      const { signal } = stop;
      const watching = (async () => {
        const options = { namespace, resourceVersion, signal, fieldSelector: "metadata.name=none" };
        for await (const event of api.watch(LEASES, options)) {
          assert.equal(event.type, "bookmark");
        }
      })();
      setTimeout(() => stop.abort(new Error("enough")), 20);
      await assert.rejects(watching, /enough/);
    },
  },
];

/** The first `count` changes of a watch. */
async function watched(
  { api, namespace }: KubeWorld,
  resourceVersion: string,
  labelSelector: string,
  count: number,
): Promise<string[]> {
  const seen: string[] = [];
  const signal = AbortSignal.timeout(10_000);
  const options = { namespace, resourceVersion, labelSelector, signal };
  for await (const event of api.watch(LEASES, options)) {
    const text = textOf(event);
    if (text !== undefined) seen.push(text);
    if (seen.length === count) break;
  }
  return seen;
}

function textOf(event: WatchEvent<KubeObject>): string | undefined {
  return event.type === "bookmark" ? undefined : `${event.type} ${event.object.metadata.name}`;
}

export const KUBE_API_CONTRACT: readonly KubeBehaviour[] = [...writing, ...deleting, ...reading];
