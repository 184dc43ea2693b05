/** Options of sockets (setsockopt(2)). */

import type { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { unwrap } from "./syscall_error.ts";

export const SOL_SOCKET = 1;

/** Throws `SyscallError`. */
export function setOption(
  fd: Fd,
  level: number,
  name: number,
  value: Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>,
): void {
  const bytes = new Uint8Array(value.buffer);
  unwrap(
    libc().setsockopt(fd.number, level, name, bytes, bytes.length),
    `set socket option ${name}`,
  );
}
