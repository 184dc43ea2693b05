/** Ethernet frames as they are, sent at a link (packet(7)). */

import { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { unwrap } from "./syscall_error.ts";

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
/** struct sockaddr_ll: family, protocol, index, hardware type, packet type, address. Bytes. */
const ADDRESS_BYTES = 20;

/** Sends at link `index` of the calling thread's namespace. Throws `SyscallError`. */
export function sendFrames(index: number, frames: readonly Uint8Array<ArrayBuffer>[]): void {
  // Protocol 0: it receives nothing.
  using socket = new Fd(unwrap(libc().socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0), "open a socket"));
  const address = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setInt32(4, index, true);
  unwrap(libc().bind(socket.number, address, address.length), `bind to link ${index}`);
  for (const frame of frames) {
    unwrap(libc().send(socket.number, frame, BigInt(frame.length), 0), `send at link ${index}`);
  }
}
