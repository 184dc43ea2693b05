import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { stringify } from "yaml";
import { LAN_CORPUS, lanWith } from "../../tests/support/lan_corpus.ts";
import { validateLan } from "./lan.ts";
import { describeFileIssue, type LanFileEntry, parseLans } from "./lan_yaml.ts";

const ONE = `apiVersion: lan.k8slan.io/v1beta1
kind: LAN
metadata:
  name: one
spec:
  ns: knlvrf
  bridge: br2
  vxlan: vx2
  vni: 222
  spokes:
  - pod1
  - pod2
`;
const TWO = ONE.replace("one", "two").replace("222", "0").replace("- pod2", "- pod1");

/** A name for a LAN, the issues as people see them for the rest. */
function told(entries: readonly LanFileEntry[]): (string | string[])[] {
  return entries.map((entry) =>
    entry.kind === "lan" ? entry.lan.metadata.name : entry.issues.map(describeFileIssue)
  );
}

const inList = (texts: readonly string[], head: string): string =>
  `${head}items:\n` +
  texts.map((text) => `- ${text.trimEnd().replaceAll("\n", "\n  ")}\n`).join("");

const cases: readonly (readonly [string, string, readonly (string | readonly string[])[]])[] = [
  ["reads nothing from an empty file", "", []],
  ["reads nothing from comments and empty documents", "# none\n---\n---\n# still none\n---\n", []],
  ["reads one LAN", ONE, ["one"]],
  ["reads JSON", JSON.stringify(lanWith()), ["lan-test"]],
  [
    "reads a file with byte order mark and Windows line ends",
    `\ufeff${ONE.replaceAll("\n", "\r\n")}`,
    [
      "one",
    ],
  ],
  ["reads good documents beside bad ones, and says where", `---\n${ONE}---\n---\n${TWO}`, [
    "one",
    [
      "f.yaml:24: spec.vni must be at least 1, found 0",
      'f.yaml:27: spec.spokes[1] repeats entry 0, found "pod1"',
    ],
  ]],
  ["reads a kubectl list", inList([ONE, TWO], "apiVersion: v1\nkind: List\n"), [
    "one",
    [
      "f.yaml:24: item 2: spec.vni must be at least 1, found 0",
      'f.yaml:27: item 2: spec.spokes[1] repeats entry 0, found "pod1"',
    ],
  ]],
  [
    "reads an API server's list",
    inList([ONE], "apiVersion: lan.k8slan.io/v1beta1\nkind: LANList\n"),
    [
      "one",
    ],
  ],
  ["names the parent's line of a missing field", ONE.replace("  vni: 222\n", ""), [[
    "f.yaml:5: spec.vni is required",
  ]]],
  ["names the line of an unknown field", `${ONE}  vnii: 5\n`, [[
    "f.yaml:13: spec.vnii is not a known field",
  ]]],
  ["says of another kind only that", "apiVersion: v1\nkind: Pod\nspec: {a: 1}\n", [[
    'f.yaml:1: apiVersion must be "lan.k8slan.io/v1beta1", found "v1"',
    'f.yaml:2: kind must be "LAN", found "Pod"',
  ]]],
  ["refuses another version", ONE.replace("v1beta1", "v1"), [[
    'f.yaml:1: apiVersion must be "lan.k8slan.io/v1beta1", found "lan.k8slan.io/v1"',
  ]]],
  ["refuses text", "hello\n", [['f.yaml:1: must be an object, found "hello"']]],
  ["refuses a key given twice", ONE.replace("  vni: 222\n", "  vni: 222\n  vni: 223\n"), [[
    'f.yaml:10: gives "vni" twice',
  ]]],
  ["refuses a figure that kubectl reads as octal", ONE.replace("222", "0222"), [[
    'f.yaml:9: has "0222", which kubectl reads as octal; leave the zero out',
  ]]],
  ["takes a name with leading zeros", ONE.replace("- pod2", '- "007"'), ["one"]],
  [
    "follows merge keys and aliases, as kubectl does",
    ONE.replace("  vni: 222\n", "  <<: {vni: 222}\n").replace("knlvrf", "&a pod1")
      .replace("- pod1", "- *a"),
    ["one"],
  ],
];

for (const [name, text, expected] of cases) {
  Deno.test(`parseLans() ${name}`, () => {
    deepStrictEqual(told(parseLans(text, "f.yaml")), expected);
  });
}

Deno.test("parseLans() gives each entry its place", () => {
  const entries = parseLans(`---\n---\n${ONE}`, "a.yaml");
  deepStrictEqual(entries.map(({ place }) => place), [{ source: "a.yaml", document: 2, line: 3 }]);
});

Deno.test("parseLans() takes what kubectl prints", () => {
  const metadata = {
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}\n" },
    creationTimestamp: "2026-01-31T12:00:00Z",
    finalizers: ["lan.k8slan.io/attached"],
    generation: 2,
    labels: { a: "b" },
    managedFields: [{ manager: "kubectl", fieldsV1: { "f:spec": {} } }],
    ownerReferences: [],
    resourceVersion: "12345",
    uid: "6c1e6ad0-1f0b-4c3b-9a4f-6b9a3a0d9c11",
  };
  const text = stringify({ ...lanWith({}, metadata), status: { conditions: [], spokes: 2 } });
  const [entry] = parseLans(text, "f");
  ok(entry?.kind === "lan");
  strictEqual(entry.lan.metadata.uid, metadata.uid);
  strictEqual(entry.lan.metadata.creationTimestamp, metadata.creationTimestamp);
});

Deno.test("parseLans() and validateLan() agree on the corpus", () => {
  for (const row of LAN_CORPUS) {
    const direct = validateLan(row.lan);
    const [entry] = parseLans(stringify(row.lan), "f");
    const found = entry?.kind === "bad" ? entry.issues.map(({ path }) => path) : [];
    const wanted = "issues" in direct ? direct.issues.map(({ path }) => path) : [];
    deepStrictEqual(found, wanted, row.name);
  }
});

const malformed: readonly (readonly [string, string])[] = [
  ["an open bracket", "a: [1"],
  ["a stray tab", "a:\n\t- b"],
  ["two colons", "a: b: c"],
  ["an open quote", 'a: "b'],
  ["control characters", "\u0000\u0001: ["],
  ["an alias to nothing", "a: *b"],
  ["an unknown tag", "a: !!js/function x"],
];

for (const [name, text] of malformed) {
  Deno.test(`parseLans() refuses ${name}, printably`, () => {
    const [entry, ...more] = parseLans(`${text}\n`, "f");
    deepStrictEqual(more, []);
    ok(entry?.kind === "bad");
    for (const issue of entry.issues) ok(/^[\x20-\x7e…]{1,500}$/.test(describeFileIssue(issue)));
  });
}

const bombs: readonly (readonly [string, string])[] = [
  ["more than a MiB", `a: "${"x".repeat(1 << 20)}"`],
  ["more than a MiB of other letters", `a: "${"é".repeat(600_000)}"`],
  ["a million brackets", "[".repeat(1 << 20)],
  ["brackets just below the limit", "[".repeat(190_000)],
  ["dashes just below the limit", "- ".repeat(90_000)],
  ["many keys", Array.from({ length: 30_000 }, (_, at) => `k${at}: 1\n`).join("")],
  ["many documents", "a: 1\n---\n".repeat(2_000)],
  [
    "ten to the tenth aliases",
    Array.from(
      { length: 10 },
      (_, at) => `a${at}: &a${at} [${at === 0 ? "x" : `*a${at - 1},`.repeat(10)}]\n`,
    ).join(""),
  ],
];

for (const [name, text] of bombs) {
  Deno.test(`parseLans() refuses ${name} in little time`, () => {
    const start = performance.now();
    const entries = parseLans(text, "f");
    ok(entries.length === 1 && entries[0]?.kind === "bad");
    ok(entries[0].issues.length <= 20);
    // On a loaded machine too; without the guard it is minutes.
    ok(performance.now() - start < 30_000);
  });
}
