/** Failures of C library calls. */

import { errnoName } from "../base/errno.ts";
import { lastErrno } from "./libc.ts";

export class SyscallError extends Error {
  /** Positive errno. */
  readonly errno: number;
  readonly errnoName: string;

  constructor(what: string, errno: number) {
    const name = errnoName(errno);
    super(`Cannot ${what}: ${name}`);
    this.name = "SyscallError";
    this.errno = errno;
    this.errnoName = name;
  }
}

/** The result of a call as number, or `SyscallError` when it is -1. `what` says what was tried. */
export function unwrap(result: number | bigint, what: string): number {
  if (result < 0) {
    const errno = lastErrno();
    throw new SyscallError(what, errno);
  }
  return Number(result);
}
