import { strictEqual } from "node:assert/strict";
import { quote } from "./components.ts";

const WORDS = {
  "--flag=/a/b.c": "--flag=/a/b.c",
  "a b": "'a b'",
  "it's": `'it'\\''s'`,
  "$HOME": "'$HOME'",
  "": "''",
};

for (const [word, quoted] of Object.entries(WORDS)) {
  Deno.test(`quote() makes one word of "${word}"`, async () => {
    strictEqual(quote(word), quoted);
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf %s ${quoted}`] })
      .output();
    strictEqual(new TextDecoder().decode(stdout), word);
  });
}
