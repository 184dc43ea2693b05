import assert from "node:assert/strict";
import { codeIs } from "../../tests/support/codes.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { LineReader } from "./line_reader.ts";

/** A reader of `parts`, each of which arrives by itself. */
function reader(...parts: readonly string[]): LineReader {
  const left = parts.map((part) => new TextEncoder().encode(part));
  return new LineReader({
    read(buffer) {
      const part = left.shift();
      if (part === undefined) return Promise.resolve(null);
      buffer.set(part);
      return Promise.resolve(part.length);
    },
  });
}

async function all(lines: LineReader): Promise<string[]> {
  const found: string[] = [];
  for (let line; (line = await lines.next()) !== undefined;) found.push(line);
  return found;
}

for (
  const [what, parts, lines] of [
    ["nothing", [], []],
    ["one line", ["a\n"], ["a"]],
    ["an empty line", ["\n"], [""]],
    ["a line in pieces", ["a", "b", "c\n"], ["abc"]],
    ["an end by itself", ["ab", "\n"], ["ab"]],
    ["several lines at once", ["a\nb\nc\n"], ["a", "b", "c"]],
    ["the end of one line with the start of the next", ["a", "b\nc", "d\n"], ["ab", "cd"]],
    ["a line that never ends", ["a\nb"], ["a"]],
    ["a letter of several bytes", ["é…\n"], ["é…"]],
  ] as const
) {
  Deno.test(`next() reads ${what}`, async () => {
    assert.deepEqual(await all(reader(...parts)), lines);
  });
}

Deno.test("next() puts a letter together that came in two pieces", async () => {
  const bytes = new TextEncoder().encode("é\n");
  const parts = [bytes.subarray(0, 1), bytes.subarray(1)];
  const lines = new LineReader({
    read(buffer) {
      const part = parts.shift();
      buffer.set(part ?? []);
      return Promise.resolve(part?.length ?? null);
    },
  });
  assert.equal(await lines.next(), "é");
});

Deno.test("next() takes a line of the greatest length and refuses a longer one", async () => {
  const piece = "x".repeat(1 << 12);
  const most = Array<string>(MAX_MESSAGE_BYTES / piece.length).fill(piece);
  assert.equal((await reader(...most, "\n").next())?.length, MAX_MESSAGE_BYTES);
  await assert.rejects(reader(...most, "x").next(), codeIs("InvalidRequest"));
});
