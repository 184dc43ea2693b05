import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { LAN_CORPUS, lanWith, NOT_LANS } from "../../tests/support/lan_corpus.ts";
import { type Lan, NO_CREATION_TIME, validateLan } from "./lan.ts";

function valid(value: unknown): Lan {
  const result = validateLan(value);
  if (!("lan" in result)) throw new Error(JSON.stringify(result.issues));
  return result.lan;
}

function paths(value: unknown): string[] {
  const result = validateLan(value);
  return "lan" in result ? [] : result.issues.map(({ path }) => path).sort();
}

/** A "*" last stands for any continuation. */
function samePaths(found: readonly string[], expected: readonly string[]): boolean {
  const wanted = expected.toSorted();
  return found.length === wanted.length && found.every((path, at) => {
    const pattern = wanted[at]!;
    return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
  });
}

const ROWS = [...LAN_CORPUS, ...NOT_LANS];

Deno.test("validateLan() takes each good LAN of the corpus", () => {
  const refused = ROWS.filter((row) => row.bad.length === 0 && paths(row.lan).length > 0);
  deepStrictEqual(refused.map((row) => [row.name, paths(row.lan)]), []);
});

Deno.test("validateLan() names every bad path of each bad LAN of the corpus, and no other", () => {
  const differing = ROWS.filter((row) => !samePaths(paths(row.lan), row.bad));
  deepStrictEqual(differing.map((row) => [row.name, paths(row.lan), row.bad]), []);
});

Deno.test("validateLan() keeps messages short, printable and on one line", () => {
  for (const row of LAN_CORPUS) {
    const result = validateLan(row.lan);
    for (const { path, message } of "issues" in result ? result.issues : []) {
      const text = `${path} ${message}`;
      ok(/^[\x20-\x7e…]{1,400}$/.test(text), `${row.name}: ${text.slice(0, 500)}`);
      ok(!/zod|Invalid|undefined|NaN/.test(text), text);
    }
  }
});

Deno.test("validateLan() applies the defaults", () => {
  deepStrictEqual(valid(lanWith()).spec, {
    ns: "knlvrf",
    bridge: "br2",
    vxlan: "vx2",
    vni: 222,
    spokes: ["pod1", "pod2"],
    vxlanGrp: "ff02::14",
    vxlanPort: 4789,
    underlay: "multicast",
  });
});

Deno.test("validateLan() gives a LAN without namespace, uid and time a stable identity", () => {
  const { metadata } = valid({ ...lanWith(), metadata: { name: "a", creationTimestamp: null } });
  deepStrictEqual(metadata, {
    name: "a",
    namespace: "default",
    uid: "file.default.a.6b240f39",
    creationTimestamp: NO_CREATION_TIME,
  });
});

Deno.test("validateLan() takes a file that changes what may not change for another LAN", () => {
  const uidOf = (spec: Record<string, unknown>) =>
    valid({ ...lanWith(spec), metadata: { name: "a" } }).metadata.uid;
  const other = [{ ns: "x" }, { bridge: "x" }, { vxlan: "x" }, { vni: 9 }, { vxlanPort: 9 }]
    .map(uidOf);
  strictEqual(new Set([uidOf({}), ...other]).size, 6);
  for (const same of [{ mtu: 1300 }, { spokes: ["x"] }, { defaultVxlanDev: "eth9" }]) {
    strictEqual(uidOf(same), uidOf({}));
  }
});

Deno.test("validateLan() takes what an API server returns, and drops what is not ours to read", () => {
  const metadata = {
    uid: "6c1e6ad0-1f0b-4c3b-9a4f-6b9a3a0d9c11",
    creationTimestamp: "2026-01-31T12:00:00Z",
    deletionTimestamp: "2026-02-01T12:00:00Z",
    generation: 3,
    resourceVersion: "77",
    managedFields: [{ manager: "kubectl" }],
    finalizers: ["lan.k8slan.io/attached"],
    labels: {},
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    ownerReferences: [],
  };
  const lan = valid({ ...lanWith({}, metadata), status: { spokes: 2 } });
  deepStrictEqual(Object.keys(lan).sort(), ["apiVersion", "kind", "metadata", "spec"]);
  deepStrictEqual(lan.metadata, {
    name: "lan-test",
    namespace: "k8slan-system",
    uid: metadata.uid,
    creationTimestamp: metadata.creationTimestamp,
    deletionTimestamp: metadata.deletionTimestamp,
    generation: 3,
  });
});

Deno.test("validateLan() takes its own output", () => {
  const lan = valid(lanWith({ mtu: 1400 }));
  deepStrictEqual(valid(lan), lan);
});

Deno.test("validateLan() says what was found and what was expected", () => {
  const cases: [unknown, string][] = [
    [lanWith({ vni: 0 }), "must be at least 1, found 0"],
    [lanWith({ vni: "222" }), 'must be a number, found "222"'],
    [lanWith({ vni: undefined }), "is required"],
    [lanWith({ underlay: "x" }), 'must be "multicast" or "unicast", found "x"'],
    [lanWith({ spokes: Array(9999).fill("a") }), "must have at most 4095 entries, found 9999"],
    [lanWith({ spokes: ["a", "b", "a"] }), 'repeats entry 0, found "a"'],
    [
      lanWith({ ns: "\u001b[31m" }),
      'must be 1 to 13 lower-case letters, digits or "-", with a letter or digit first and last, ' +
      'found "\\u001b[31m"',
    ],
    [lanWith({ mtuu: 5 }), "is not a known field"],
    [{ ...lanWith(), kind: "List" }, 'must be "LAN", found "List"'],
  ];
  for (const [value, message] of cases) {
    const result = validateLan(value);
    strictEqual("issues" in result ? result.issues[0]?.message : undefined, message);
  }
});

Deno.test("validateLan() stays cheap with an object of 200000 unknown fields", () => {
  const change = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`k${at}`, at]));
  const found = paths(lanWith(change));
  ok(found.length <= 21, String(found.length));
});
