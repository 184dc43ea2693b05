/** Deletions run on threads of their own, which may come late. */

import { createLab, rootTest } from "../support/netns_lab.ts";

const PROGRAM = new URL("../support/late_deletion_run.ts", import.meta.url).pathname;

rootTest(
  "LinuxKernel: a deletion that starts late does not hit the link made after it",
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const { uniqueName, dir } = lab.node("worker1");
    const program = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM];
    await lab.node("worker1").run([...program, uniqueName, dir]);
  },
);
