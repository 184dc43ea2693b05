/** The character device of a macvtap, as the kernel knows it. */

import { Fd } from "./fd.ts";
import { cString, libc } from "./libc.ts";
import { type Netns, withNetns } from "./netns.ts";
import { unwrap } from "./syscall_error.ts";

/** System call numbers, the same on x86-64 and arm64 (asm-generic/unistd.h). */
const SYS_FSOPEN = 430n;
const SYS_FSCONFIG = 431n;
const SYS_FSMOUNT = 432n;
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
const O_CLOEXEC = 0o2000000;

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/**
 * Device number of macvtap `ifname` with index `index` in `netns`: `/sys/class/net/IF/tapN/dev`
 * read through a sysfs of that namespace, which is mounted nowhere.
 *
 * /dev is not per namespace: this is the proof that /dev/tapN leads to this macvtap and not to
 * another one that happens to have the same index elsewhere.
 */
export function readTapDevice(netns: Netns, ifname: string, index: number): DeviceNumber {
  using sysfs = withNetns(netns, openSysfs);
  const path = `class/net/${ifname}/tap${index}/dev`;
  using file = new Fd(
    unwrap(libc().openat(sysfs.number, cString(path), O_CLOEXEC, 0), `open "${path}" in sysfs`),
  );
  const bytes = new Uint8Array(32);
  const length = unwrap(libc().read(file.number, bytes, 32n), `read "${path}" in sysfs`);
  const text = new TextDecoder().decode(bytes.subarray(0, length)).trim();
  const [major = NaN, minor = NaN] = text.split(":").map(Number);
  return { major, minor };
}

function openSysfs(): Fd {
  using context = new Fd(
    unwrap(libc().syscall_fsopen(SYS_FSOPEN, cString("sysfs"), FSOPEN_CLOEXEC), "open a sysfs"),
  );
  const { syscall_numbers } = libc();
  unwrap(
    syscall_numbers(SYS_FSCONFIG, context.number, FSCONFIG_CMD_CREATE, 0n, 0n, 0),
    "configure a sysfs",
  );
  return new Fd(
    unwrap(
      syscall_numbers(SYS_FSMOUNT, context.number, FSMOUNT_CLOEXEC, 0n, 0n, 0),
      "instantiate a sysfs",
    ),
  );
}

/** Device number of a node under /dev, from `st_rdev` (glibc's gnu_dev_major and gnu_dev_minor). */
export function splitDeviceNumber(rdev: number): DeviceNumber {
  const value = BigInt(rdev);
  return {
    major: Number(((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n)),
    minor: Number((value & 0xffn) | ((value >> 12n) & 0xffffff00n)),
  };
}
