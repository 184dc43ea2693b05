import assert from "node:assert/strict";
import { parsePodNetworks, POD_NETWORKS_MAX } from "./pod_networks.ts";

/** As text, with the pod in namespace "home". */
function named(text: string): string[] {
  return parsePodNetworks(text, "home").map(({ namespace, name }) => `${namespace}/${name}`);
}

Deno.test("parsePodNetworks() reads both forms that multus reads", () => {
  const cases: readonly (readonly [string, ...string[]])[] = [
    ["pod1", "home/pod1"],
    [" pod1 , other/pod2@eth1,pod3@lan0 ", "home/pod1", "other/pod2", "home/pod3"],
    ["other / pod2 @ eth1", "other/pod2"],
    ["a.b-c", "home/a.b-c"],
    ["a@,/b", "home/a", "home/b"],
    ['[{"name":"pod1"}]', "home/pod1"],
    [
      '\n[ {"name":"pod1","namespace":"other","interface":"x","ips":["192.0.2.1/24"]} ]',
      "other/pod1",
    ],
    ['[{"Name":"a","NAMESPACE":"other"}]', "other/a"],
    ['[{"name":"a","Name":"b"}]', "home/b"],
    ['[{"name":"a","namespace":null},{"name":"a","namespace":""}]', "home/a", "home/a"],
    ["[]"],
  ];
  for (const [text, ...expected] of cases) assert.deepEqual(named(text), expected, text);
});

Deno.test("parsePodNetworks() says what is wrong, in few words", () => {
  const many = (join: string, word: string) => Array(POD_NETWORKS_MAX + 1).fill(word).join(join);
  const cases: readonly (readonly [string, RegExp])[] = [
    [" ", /has "" where the name of a network belongs/],
    ["a,,b", /has "" where the name/],
    ["a/b/c", /has "a\/b\/c" where \[namespace\/\]name\[@interface\] belongs/],
    ["a@b@c", /has "a@b@c" where/],
    ["a@sixteen-chars-ab", /where \[namespace/],
    ["a@b/c", /where \[namespace/],
    ["A", /has "A" where the name of a network belongs/],
    ["-a", /where the name/],
    ["../../etc", /where \[namespace/],
    ["a b", /has "a b" where the name/],
    ["\u001b[31m", /is no JSON, though/],
    ["a\u001b", /has "a.*u001b" where/],
    ["Ö/a", /has ".u00d6" where the namespace/],
    [`${"x".repeat(254)}`, /where the name/],
    ["[{", /is no JSON, though it has/],
    ['"a"', /is JSON, but no list/],
    ['{"name":"a"}', /is JSON, but no list/],
    ["[null]", /an element that is no JSON object/],
    ['["a"]', /an element that is no JSON object/],
    ["[{}]", /has "" where the name/],
    ['[{"name":1}]', /has a name that is no text/],
    ['[{"name":"a","namespace":{}}]', /has a namespace that is no text/],
    ['[{"__proto__":{"name":"a"}}]', /has "" where the name/],
    [many(",", "a"), /names 33 networks, more than the 32 looked at/],
    [`[${many(",", '{"name":"a"}')}]`, /names 33 networks/],
    [`[${Array(100_000).fill("0").join()}]`, /names 100000 networks/],
    ["[".repeat(200_000), /is no JSON/],
    [`${"[".repeat(100_000)}${"]".repeat(100_000)}`, /no JSON object|is no JSON/],
    ["a".repeat((256 << 10) + 1), /is longer than 262144 characters/],
    [`a,${"b".repeat(200_000)}`, /where the name/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(() => named(text), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, expected);
      assert.ok(error.message.length < 200, error.message);
      assert.match(error.message, /^[\x20-\x7e…]*$/);
      return Reflect.get(error, "code") === "BadNetworks";
    }, text.slice(0, 80));
  }
});
