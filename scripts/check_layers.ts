/** Checks the imports of main.ts and src against the table in layers.ts; part of `deno task ok`. */

// deno-lint-ignore-file no-console

import { layerViolations } from "./layers.ts";

function readSources(folder: string, into: Map<string, string>): void {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) readSources(path, into);
    else if (path.endsWith(".ts")) into.set(path, Deno.readTextFileSync(path));
  }
}

function main(): number {
  Deno.chdir(new URL("..", import.meta.url));
  const files = new Map([["main.ts", Deno.readTextFileSync("main.ts")]]);
  readSources("src", files);
  const violations = layerViolations(files);
  for (const { file, specifier, rule } of violations) {
    console.error(`${file}: import of "${specifier}" is against the layers: ${rule}`);
  }
  if (violations.length > 0) return 1;
  console.log(`Checked the imports of ${files.size} files`);
  return 0;
}

if (import.meta.main) Deno.exit(main());
