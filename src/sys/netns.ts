/** Network namespaces: opening, entering, making, removing (namespaces(7), setns(2)). */

import { K8slanError } from "../base/errors.ts";
import { removeIfThere } from "../base/files.ts";
import { Fd } from "./fd.ts";
import { cString, libc } from "./libc.ts";
import { bindMount, unmount } from "./mount.ts";
import { SyscallError, unwrap } from "./syscall_error.ts";

const O_CLOEXEC = 0o2000000;
/** A FIFO in place of a namespace must not hold the caller up until somebody writes to it. */
const O_NONBLOCK = 0o4000;
const CLONE_NEWNET = 0x4000_0000;
/** ioctl(2) of namespace files, linux/nsfs.h: answers the CLONE_* flag of the namespace's type. */
const NS_GET_NSTYPE = 0xb703n;

/** An open network namespace, kept alive while it is open. */
export class Netns extends Fd {
  /** Which namespace it is, among those that are there at the same time: device and inode. */
  readonly identity: string;

  constructor(number: number) {
    super(number);
    const { dev, ino } = Deno.statSync(`/proc/self/fd/${number}`);
    this.identity = `${dev}:${ino}`;
  }
}

/** Opens `path`. Throws `K8slanError` "NotANamespace" when it leads to something else. */
export function openNetns(path: string): Netns {
  const fd = new Fd(
    unwrap(libc().open(cString(path), O_CLOEXEC | O_NONBLOCK, 0), `open "${path}"`),
  );
  if (libc().ioctl(fd.number, NS_GET_NSTYPE, null) !== CLONE_NEWNET) {
    fd[Symbol.dispose]();
    throw new K8slanError("NotANamespace", `"${path}" is not a network namespace`);
  }
  return new Netns(fd.number);
}

/** Path of the namespace in which this thread is; it need not be the first one of the process. */
export const HOME_NETNS = "/proc/thread-self/ns/net";

let home: Netns | undefined;

/** The namespace in which the program runs. */
export function homeNetns(): Netns {
  return home ??= openNetns(HOME_NETNS);
}

/** Refuses functions that return a promise: what runs after the first `await` would run elsewhere. */
export type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * The result of `run`, called with this thread in namespace `netns` (`ip netns exec`).
 *
 * Open sockets and touch sysctls inside, nothing else: a thread that the runtime started meanwhile
 * would stay in that namespace. Ends the process when it cannot come back, because everything after
 * that would happen in the wrong place.
 */
export function withNetns<T>(netns: Netns, run: () => Synchronous<T>): T {
  const back = homeNetns();
  if (netns.identity === back.identity) return run();
  unwrap(libc().setns(netns.number, CLONE_NEWNET), "enter a network namespace");
  try {
    return run();
  } finally {
    comeBack(back);
  }
}

function comeBack(back: Netns): void {
  try {
    unwrap(libc().setns(back.number, CLONE_NEWNET), "come back from a network namespace");
  } catch (error) {
    // deno-lint-ignore no-console -- nothing else can be trusted from here on
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(70);
  }
}

/**
 * Makes a network namespace, runs `prepare` in it and only then binds it to the existing file
 * `path` (`ip netns add`): whoever can see it sees it prepared.
 */
export function createNetns(path: string, prepare: () => void): void {
  withNewNetns(() => {
    prepare();
    bindMount(HOME_NETNS, path);
  });
}

/**
 * The result of `run`, called with this thread in a namespace of its own that is gone afterwards,
 * unless something from it stays open (`unshare --net`). As for `withNetns`.
 */
export function withNewNetns<T>(run: () => Synchronous<T>): T {
  const back = homeNetns();
  unwrap(libc().unshare(CLONE_NEWNET), "make a network namespace");
  try {
    return run();
  } finally {
    comeBack(back);
  }
}

/** Unbinds the namespace at `path` and removes the file (`ip netns del`). Missing is fine. */
export function removeNetns(path: string): void {
  try {
    unmount(path);
  } catch (error) {
    // EINVAL: a plain file, nothing mounted on it.
    if (!(error instanceof SyscallError) || !["EINVAL", "ENOENT"].includes(error.errnoName)) {
      throw error;
    }
  }
  removeIfThere(path);
}
