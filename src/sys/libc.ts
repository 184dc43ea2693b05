/**
 * The C library: the only foreign functions of this program, and the only place that opens it.
 *
 * A call that ends in `_async` runs on another thread, whose namespaces are not those entered by
 * `setns` here: it may only use what is already open.
 */

const SYMBOLS = {
  // int open(const char *pathname, int flags, ...)
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32" },
  // the same on a thread of its own
  close_async: { name: "close", parameters: ["i32"], result: "i32", nonblocking: true },
  // ssize_t read(int fd, void *buf, size_t count)
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // ssize_t write(int fd, const void *buf, size_t count)
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // int ioctl(int fd, unsigned long op, ...)
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  // int setns(int fd, int nstype)
  setns: { parameters: ["i32", "i32"], result: "i32" },
  // int unshare(int flags)
  unshare: { parameters: ["i32"], result: "i32" },
  // int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
  mount: { parameters: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  // int umount2(const char *target, int flags)
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen)
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen)
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  // int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen)
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  // ssize_t send(int sockfd, const void *buf, size_t len, int flags)
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // the same on a thread of its own
  send_async: {
    name: "send",
    parameters: ["i32", "buffer", "usize", "i32"],
    result: "isize",
    nonblocking: true,
  },
  // ssize_t sendto(int sockfd, const void *buf, size_t len, int flags, const struct sockaddr *dest, socklen_t addrlen)
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags)
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags)
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  // int eventfd(unsigned int initval, int flags)
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout), on a thread of its own
  poll_async: {
    name: "poll",
    parameters: ["buffer", "usize", "i32"],
    result: "i32",
    nonblocking: true,
  },
  // long syscall(long number, ...), with one path argument
  syscall_fsopen: {
    name: "syscall",
    parameters: ["isize", "buffer", "u32"],
    result: "isize",
  },
  // long syscall(long number, ...): fsconfig(fd, cmd, NULL, NULL, 0) and fsmount(fd, flags, attrs)
  syscall_numbers: {
    name: "syscall",
    parameters: ["isize", "i32", "u32", "usize", "usize", "i32"],
    result: "isize",
  },
  // int openat(int dirfd, const char *pathname, int flags, ...)
  openat: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  // int malloc_trim(size_t pad)
  malloc_trim: { parameters: ["usize"], result: "i32" },
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let opened: { readonly symbols: Libc; readonly errno: Deno.UnsafePointerView } | undefined;

function library() {
  if (opened === undefined) {
    const { symbols } = Deno.dlopen("libc.so.6", SYMBOLS);
    const location = symbols.__errno_location();
    if (location === null) throw new Error("The C library gave no address for errno");
    opened = { symbols, errno: new Deno.UnsafePointerView(location) };
  }
  return opened;
}

/** The functions, opened at first use. */
export function libc(): Libc {
  return library().symbols;
}

/** `errno` as the last failed call of this thread left it. Read it before anything else is called. */
export function lastErrno(): number {
  return library().errno.getInt32();
}

/** A NUL-terminated C string. Throws `TypeError` for text that contains NUL. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError(`${JSON.stringify(text)} contains a NUL character`);
  return new TextEncoder().encode(`${text}\0`);
}
