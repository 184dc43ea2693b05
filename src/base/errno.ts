/** Names of the error numbers that this product meets (asm-generic/errno.h). */

export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const EBADMSG = 74;
export const ENOPROTOOPT = 92;
export const EPROTONOSUPPORT = 93;
export const ENOBUFS = 105;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;

const NAMES: Readonly<Record<number, string>> = {
  [EPERM]: "EPERM",
  [ENOENT]: "ENOENT",
  3: "ESRCH",
  [EINTR]: "EINTR",
  5: "EIO",
  6: "ENXIO",
  9: "EBADF",
  [EAGAIN]: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  [EBUSY]: "EBUSY",
  [EEXIST]: "EEXIST",
  18: "EXDEV",
  [ENODEV]: "ENODEV",
  20: "ENOTDIR",
  21: "EISDIR",
  [EINVAL]: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  28: "ENOSPC",
  30: "EROFS",
  34: "ERANGE",
  54: "EXFULL",
  [EBADMSG]: "EBADMSG",
  [ENOPROTOOPT]: "ENOPROTOOPT",
  [EPROTONOSUPPORT]: "EPROTONOSUPPORT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  [EADDRINUSE]: "EADDRINUSE",
  [EADDRNOTAVAIL]: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  [ENOBUFS]: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
};

/** "EEXIST" for 17; "errno 999" for a number without a name here. */
export function errnoName(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}
