/** Which network namespace a path leads to. */

import { K8slanError } from "../base/errors.ts";
import { bootId } from "../sys/boot_id.ts";
import { openNetns } from "../sys/netns.ts";
import { netnsCookie } from "../sys/netns_cookie.ts";
import { SyscallError } from "../sys/syscall_error.ts";
import { isShortage } from "./shortage.ts";

/**
 * A text that no other namespace has, nor one that takes its place later, be it after a boot;
 * undefined when `path` leads to none. Throws when that cannot be told: what is attached there must
 * not count as gone because this process ran out of files.
 */
export function netnsIdentity(path: string): string | undefined {
  try {
    using netns = openNetns(path);
    // Numbers and cookies begin anew with every boot.
    return `${bootId()}:${netns.identity}:${netnsCookie(netns) ?? ""}`;
  } catch (error) {
    const isOther = error instanceof K8slanError && error.code === "NotANamespace";
    if (isOther || error instanceof SyscallError && !isShortage(error)) return undefined;
    throw error;
  }
}
