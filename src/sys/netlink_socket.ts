/** Netlink sockets for requests (netlink(7)). */

import { EINTR } from "../base/errno.ts";
import type { Transport } from "../netlink/client.ts";
import { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { setOption, SOL_SOCKET } from "./socket_option.ts";
import { SyscallError, unwrap } from "./syscall_error.ts";

export const AF_NETLINK = 16;
export const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SO_RCVTIMEO = 20;
/** An answer is queued before `send` returns; waiting at all means that the kernel gave none. */
const ANSWER_TIMEOUT_SECONDS = 5n;

/** The kernel fills a dump's datagrams up to this much at most (netlink_dump: 32 KiB). */
const BUFFER_BYTES = 64 * 1024;

/** Shared by all sockets: every datagram is used up before the next call. */
let buffer: Uint8Array<ArrayBuffer> | undefined;

/** Opens a socket to that part of the kernel in the namespace of the calling thread. */
export function openNetlinkSocket(protocol = NETLINK_ROUTE): Transport {
  const fd = new Fd(
    unwrap(libc().socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol), "open a netlink socket"),
  );
  setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, Int32Array.of(1));
  setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, Int32Array.of(1));
  setOption(fd, SOL_SOCKET, SO_RCVTIMEO, BigInt64Array.of(ANSWER_TIMEOUT_SECONDS, 0n));
  // Without it a dump of one link's addresses walks all links. Kernels before 4.20 do not know it.
  const strict = new Uint8Array(Int32Array.of(1).buffer);
  libc().setsockopt(fd.number, SOL_NETLINK, NETLINK_GET_STRICT_CHK, strict, strict.length);
  const space = buffer ??= new Uint8Array(BUFFER_BYTES);
  return {
    send(datagram) {
      const bytes = datagram as Uint8Array<ArrayBuffer>;
      unwrap(
        retryInterrupted(() => libc().send(fd.number, bytes, BigInt(bytes.length), 0)),
        "send to netlink",
      );
    },
    receive() {
      const length = retryInterrupted(() => libc().recv(fd.number, space, BigInt(space.length), 0));
      return space.subarray(0, unwrap(length, "receive from netlink"));
    },
    async sendInBackground(datagram) {
      const bytes = datagram as Uint8Array<ArrayBuffer>;
      const sent = await libc().send_async(fd.number, bytes, BigInt(bytes.length), 0);
      // errno belongs to the other thread and is lost; the kernel's own verdict is in the answer.
      if (sent < 0n) throw new Error("Cannot send to netlink");
    },
    closeInBackground: () => fd.closeInBackground(),
    [Symbol.dispose]: () => fd[Symbol.dispose](),
  };
}

function retryInterrupted(call: () => bigint): bigint {
  for (;;) {
    const result = call();
    if (result >= 0n) return result;
    try {
      unwrap(result, "use a netlink socket");
    } catch (error) {
      if (error instanceof SyscallError && error.errno === EINTR) continue;
      throw error;
    }
  }
}
