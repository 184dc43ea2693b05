/** Failures that say nothing of what was looked at. */

import type { SyscallError } from "../sys/syscall_error.ts";

const SHORTAGES: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"]);

/** Was there no room to look? */
export function isShortage({ errnoName }: SyscallError): boolean {
  return SHORTAGES.has(errnoName);
}
