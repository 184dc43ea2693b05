/** Numbers of network namespaces that are never given out twice. */

import { ENOPROTOOPT } from "../base/errno.ts";
import { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { type Netns, withNetns } from "./netns.ts";
import { SyscallError, unwrap } from "./syscall_error.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

/**
 * The cookie of a namespace: no other has it until the next boot, whereas the inode number of one
 * that is gone is the next one's. Undefined before Linux 5.14.
 */
export function netnsCookie(netns: Netns): bigint | undefined {
  using socket = new Fd(
    withNetns(netns, () => unwrap(libc().socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0), "open a socket")),
  );
  const cookie = new BigUint64Array(1);
  const bytes = new Uint8Array(cookie.buffer);
  const length = new Uint8Array(Uint32Array.of(bytes.length).buffer);
  try {
    unwrap(
      libc().getsockopt(socket.number, SOL_SOCKET, SO_NETNS_COOKIE, bytes, length),
      "read the cookie of a network namespace",
    );
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENOPROTOOPT) return undefined;
    throw error;
  }
  return cookie[0];
}
