import { throws } from "node:assert/strict";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { removeIfThere } from "./files.ts";

Deno.test("removeIfThere() removes a file, and does not mind when there is none", () => {
  using dir = new TempDir();
  const path = `${dir.path}/a`;
  Deno.writeTextFileSync(path, "");
  removeIfThere(path);
  throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
  removeIfThere(path);
});

Deno.test("removeIfThere() leaves a folder that is not empty, and says so", () => {
  using dir = new TempDir();
  Deno.writeTextFileSync(`${dir.path}/a`, "");
  throws(() => removeIfThere(dir.path));
  Deno.lstatSync(`${dir.path}/a`);
});
