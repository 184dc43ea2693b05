import assert from "node:assert/strict";
import { openNetns } from "../../src/sys/netns.ts";
import { rootTest } from "../support/netns_lab.ts";

rootTest("openNetns() refuses a FIFO at once instead of waiting for a writer", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/fifo`;
    await new Deno.Command("mkfifo", { args: [path] }).output();
    assert.throws(() => openNetns(path), { code: "NotANamespace" });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
