/**
 * Connections to a port of this machine's loopback, carried on to the loopback of another network
 * namespace. Usage: relay.ts PORT NETNS TARGET-PORT
 */

import { libc } from "../../src/sys/libc.ts";
import { openNetns } from "../../src/sys/netns.ts";
import { unwrap } from "../../src/sys/syscall_error.ts";

const CLONE_NEWNET = 0x4000_0000;

async function relay(port: number, netns: string, target: number): Promise<void> {
  // A socket stays in the namespace that it was made in: this one here, all later ones in there.
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  using namespace = openNetns(netns);
  unwrap(libc().setns(namespace.number, CLONE_NEWNET), `enter "${netns}"`);
  for await (const client of listener) {
    carry(client, target).catch(() => {
      // Either side may go at any time; the other one notices.
    });
  }
}

async function carry(client: Deno.TcpConn, port: number): Promise<void> {
  using _ = client;
  using server = await Deno.connect({ hostname: "127.0.0.1", port });
  client.setNoDelay(true);
  server.setNoDelay(true);
  await Promise.all([
    client.readable.pipeTo(server.writable),
    server.readable.pipeTo(client.writable),
  ]);
}

if (import.meta.main) {
  const [port, netns = "", target] = Deno.args;
  await relay(Number(port), netns, Number(target));
}
