/** The real kernel is held to the same table as the fake one is beside its sources. */

import { KERNEL_CONTRACT } from "../support/kernel_contract.ts";
import { createLab, rootTest } from "../support/netns_lab.ts";

const PROGRAM = new URL("../support/kernel_contract_run.ts", import.meta.url).pathname;

for (const [row, { name }] of KERNEL_CONTRACT.entries()) {
  rootTest(`LinuxKernel: ${name}`, async () => {
    await using lab = await createLab({ nodes: 1 });
    const { uniqueName, dir } = lab.node("worker1");
    const program = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM];
    await lab.node("worker1").run([...program, uniqueName, dir, `${row}`]);
  });
}
