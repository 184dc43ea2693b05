import { equal } from "node:assert/strict";
import { formatTable } from "./table.ts";

Deno.test("formatTable() aligns columns and leaves no blanks at the end of a line", () => {
  const text = formatTable(["NAME", "N"], [["a", "1"], ["longer", "22"]]);
  equal(text, "NAME    N\na       1\nlonger  22\n");
});

Deno.test("formatTable() shows an empty cell as a dash", () => {
  equal(formatTable(["A", "B"], [["", "x"]]), "A  B\n-  x\n");
});

Deno.test("formatTable() lets no cell break the line or steer the terminal", () => {
  equal(formatTable(["A"], [["one\ntwo\x1b[2J\x9b"]]), "A\none?two?[2J?\n");
});
