import assert from "node:assert/strict";
import { attachmentOnNode, lanNodeObject } from "../../tests/support/lan_node_objects.ts";
import { SpokeMoves, type SpokePlace, spokePlaces } from "./spoke_moves.ts";

const always = () => true;

/** As in `a1@n1`. */
function places(text: string): SpokePlace[] {
  return text.split(" ").filter((word) => word !== "").map((word) => {
    const [spoke = "", node = ""] = word.split("@");
    return { lanId: "lan", spoke, node };
  });
}

/** What is held, step by step, and what was left by then. */
const ROWS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ["what moves at once", [["a@n1 b@n1", ""], ["a@n2 b@n1", "a@n1"], ["a@n2 b@n1", ""]]],
  ["what two hold for a while", [["a@n1", ""], ["a@n1 a@n2", ""], ["a@n2", "a@n1"]]],
  ["what two hold, when the other lets go", [["a@n1 a@n2", ""], ["a@n1", "a@n2"]]],
  ["what nobody holds for a while", [["a@n1", ""], ["", ""], ["", ""], ["a@n2", "a@n1"]]],
  ["nothing of what comes back", [["a@n1", ""], ["", ""], ["a@n1", ""]]],
  ["nothing of what comes", [["", ""], ["a@n1", ""], ["a@n1 a@n2", ""]]],
  ["two places that were left", [["a@n1 a@n2", ""], ["a@n3", "a@n1 a@n2"]]],
];
for (const [what, steps] of ROWS) {
  Deno.test(`SpokeMoves tells of ${what}`, () => {
    const moves = new SpokeMoves();
    for (const [now, left] of steps) {
      assert.deepEqual(moves.update(places(now), always).left, places(left), `at "${now}"`);
    }
  });
}

Deno.test("SpokeMoves tells of places that others have come to share", () => {
  const moves = new SpokeMoves();
  const steps = [["a@n1 b@n1", ""], ["a@n1 a@n2 b@n1", "a@n1"], ["a@n1 a@n2", ""], ["a@n2", ""]];
  for (const [now = "", shared = ""] of steps) {
    assert.deepEqual(moves.update(places(now), always).shared, places(shared), `at "${now}"`);
  }
});

Deno.test("SpokeMoves goes by what was known before the agent started", () => {
  const moves = new SpokeMoves(places("a@n1 b@n1"));
  assert.deepEqual(moves.update(places("a@n2 b@n1"), always).left, places("a@n1"));
});

Deno.test("SpokeMoves forgets the spokes of LANs that are gone", () => {
  const moves = new SpokeMoves(places("a@n1"));
  moves.update([], () => false);
  assert.deepEqual(moves.update(places("a@n2"), always).left, []);
});

Deno.test("spokePlaces() tells who holds what, and with which address", () => {
  const nodes = [
    lanNodeObject("n1", [
      { ...attachmentOnNode("lan", "a", "vm"), mac: "02:00:00:00:00:01" },
      attachmentOnNode("lan", undefined, "any"),
    ]),
    lanNodeObject("n2", [attachmentOnNode("lan", "a", "vm")]),
    lanNodeObject("n3"),
  ];
  assert.deepEqual(spokePlaces(nodes), [
    { lanId: "lan", spoke: "a", node: "n1", mac: "02:00:00:00:00:01" },
    { lanId: "lan", spoke: "a", node: "n2" },
  ]);
});
