import { equal } from "node:assert/strict";
import { counted, cut, type ListOptions, textList } from "./text_list.ts";

const TABLE: readonly (readonly [string[], ListOptions, string])[] = [
  [[], {}, ""],
  [["a"], {}, "a"],
  [["a", "b"], {}, "a, b"],
  [["a", "b", "c"], { most: 2 }, "a, b and 1 more"],
  [["a", "b"], { total: 5 }, "a, b and 3 more"],
  [[], { total: 5 }, "5 more"],
  [["a", "b"], { separator: "; " }, "a; b"],
  [["aaaa", "bbbb"], { chars: 7 }, "aaaa and 1 more"],
  [["aaaaaaaaaa", "b"], { chars: 4 }, "aaa… and 1 more"],
];

for (const [items, options, wanted] of TABLE) {
  Deno.test(`textList() makes "${wanted}"`, () => equal(textList(items, options), wanted));
}

Deno.test("cut() keeps what is short enough", () => {
  equal(cut("abcd", 4), "abcd");
  equal(cut("abcde", 4), "abc…");
});

Deno.test("counted() knows one from many", () => {
  equal(counted(1, "node"), "1 node");
  equal(counted(0, "node"), "0 nodes");
});
