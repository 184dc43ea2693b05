import assert from "node:assert/strict";
import { renderObjects } from "./render.ts";
import { about, why } from "./why.ts";

Deno.test("renderObjects() puts reasons in front of what they are about", () => {
  const text = renderObjects("All of it", [
    about(
      "The first",
      why({ b: "Since a is" }, {
        a: 1,
        b: true,
        c: [about("An item", { d: "x" }), { d: "y", e: undefined }],
        f: about("An object", { g: ["h"], i: [] }),
      }),
    ),
    { a: {} },
  ]);
  assert.equal(
    text,
    `# All of it
---
# The first
a: 1
# Since a is
b: true
c:
  # An item
  - d: x
  - d: y
# An object
f:
  g: [h]
  i: []
---
a: {}
`,
  );
});

Deno.test("renderObjects() breaks long reasons into lines", () => {
  const [first = "", second = ""] = renderObjects("word ".repeat(30).trim(), []).split("\n");
  assert.ok(first.length <= 92 && first.length > 80, first);
  assert.ok(second.startsWith("# word"));
});

Deno.test("why() refuses a reason for a field that is not there", () => {
  assert.throws(() => why<{ a?: number; b?: number }>({ b: "No" }, { a: 1 }), /"b"/);
});
