/** Holds the real kernel to one behaviour: NODE, DIRECTORY and the number of its row. */

import { KERNEL_CONTRACT } from "./kernel_contract.ts";
import { LinuxWorld } from "./linux_world.ts";

const [node = "", dir = "", row = ""] = Deno.args;
await using world = new LinuxWorld(node, dir);
await KERNEL_CONTRACT[Number(row)]!.run(world);
