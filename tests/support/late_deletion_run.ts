/** Loses the name of a port while each deletion starts later than the one before, and mends it: NODE and DIRECTORY. */

import assert from "node:assert/strict";
import { LinuxKernel } from "../../src/kernel/linux.ts";
import type { Transport } from "../../src/netlink/client.ts";
import { openNetlinkSocket } from "../../src/sys/netlink_socket.ts";
import { converge, missing, ONE_MACVTAP, wantedLan } from "./contract/world.ts";
import { LinuxWorld } from "./linux_world.ts";

/** About what a thread may have to wait for its turn on a busy machine. */
const LATE_MS = 50;
let deletions = 0;

const [node = "", dir = ""] = Deno.args;
await using world = new LinuxWorld(node, dir, (netnsDir) => new LinuxKernel(netnsDir, lateSocket));
const wanted = wantedLan(world, ONE_MACVTAP(world));
await converge(world, wanted);
world.changeLink(wanted.netns.path, "pod1.b", { name: "old" });
await converge(world, wanted);
await world.kernel.settled();
assert.deepEqual(missing(world, wanted), [], "a late deletion took what had been made anew");

function lateSocket(protocol?: number): Transport {
  const socket = openNetlinkSocket(protocol);
  return {
    send: (datagram) => socket.send(datagram),
    receive: () => socket.receive(),
    async sendInBackground(datagram) {
      await new Promise((resolve) => setTimeout(resolve, LATE_MS * deletions++));
      await socket.sendInBackground(datagram);
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}
