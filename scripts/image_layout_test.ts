import assert from "node:assert/strict";
import { ENTRYPOINT, ENV, LABELS, USER } from "./image_layout.ts";

/** The words of an instruction in the last stage of Dockerfile; continued lines are one. */
function instruction(dockerfile: string, name: string): string {
  const lines = dockerfile.replaceAll(/\\\n\s*/g, "").split("\n");
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  const found = last.filter((line) => line.startsWith(`${name} `));
  assert.equal(found.length, 1, `${name} stands in the last stage once`);
  return found[0]?.slice(name.length + 1) ?? "";
}

/** The pairs of ENV and LABEL. */
function pairs(words: string): Record<string, string> {
  const found = words.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g);
  return Object.fromEntries([...found].map(([, key, quoted, bare]) => [key, quoted ?? bare]));
}

Deno.test("Dockerfile makes an image that starts as that of scripts/image", async () => {
  const dockerfile = await Deno.readTextFile(new URL("../Dockerfile", import.meta.url));
  assert.deepEqual(JSON.parse(instruction(dockerfile, "ENTRYPOINT")), [ENTRYPOINT]);
  assert.equal(instruction(dockerfile, "USER"), USER);
  assert.deepEqual(pairs(instruction(dockerfile, "ENV")), ENV);
  assert.deepEqual(pairs(instruction(dockerfile, "LABEL")), LABELS);
});

Deno.test("Dockerfile builds with the Deno that scripts pin", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));
  const pinned = /^deno_pinned=(\S+)$/m.exec(await read("lib/deno.sh"))?.[1];
  assert.equal(/denoland\/deno:debian-(\S+)/.exec(await read("../Dockerfile"))?.[1], pinned);
});
