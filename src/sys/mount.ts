/** Mounts (mount(2), umount2(2)). */

import { cString, libc } from "./libc.ts";
import { unwrap } from "./syscall_error.ts";

const MS_BIND = 0x1000n;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** `mount --bind SOURCE TARGET` */
export function bindMount(source: string, target: string): void {
  const result = libc().mount(cString(source), cString(target), cString("none"), MS_BIND, null);
  unwrap(result, `bind "${source}" to "${target}"`);
}

/**
 * `umount --lazy TARGET`: lazy, because another mount namespace that copied the mount would make
 * the plain call fail with EBUSY although ours is to go.
 */
export function unmount(target: string): void {
  const result = libc().umount2(cString(target), MNT_DETACH | UMOUNT_NOFOLLOW);
  unwrap(result, `unmount "${target}"`);
}
