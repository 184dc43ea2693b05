/** Link and address events of this namespace and of every namespace that has an id here. */

import { EAGAIN, ENOBUFS, EPERM } from "../base/errno.ts";
import { K8slanError } from "../base/errors.ts";
import { RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK } from "../netlink/wire/constants.ts";
import { decodeMessages, type Message } from "../netlink/wire/message.ts";
import { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { AF_NETLINK, NETLINK_ROUTE, SOCK_RAW_CLOEXEC, SOL_NETLINK } from "./netlink_socket.ts";
import { PollWait } from "./poll_wait.ts";
import { setOption, SOL_SOCKET } from "./socket_option.ts";
import { SyscallError, unwrap } from "./syscall_error.ts";

const SOCKADDR_NL_BYTES = 12;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_LISTEN_ALL_NSID = 8;
const SO_RCVBUFFORCE = 33;
/** Holds the events of some thousand links that change at once. */
const RECEIVE_BUFFER_BYTES = 8 << 20;
const MSG_DONTWAIT = 0x40;

/** What one wake-up brought. */
export interface EventBatch {
  readonly events: readonly KernelEvent[];
  /** The kernel dropped events: read everything anew. */
  readonly overrun: boolean;
}

export interface KernelEvent {
  /** Id of the namespace where it happened; undefined for the one of the program itself. */
  readonly netnsId: number | undefined;
  readonly message: Message;
}

/**
 * Batches of events until `signal` fires (`ip monitor all-nsid link address`).
 *
 * The wait happens in poll(2) on a thread of the runtime and costs nothing while nothing happens.
 * Subscribed when this returns: what happens between that and the first `next()` is kept.
 */
export function watchKernelEvents(signal: AbortSignal): AsyncGenerator<EventBatch> {
  const socket = new Fd(
    unwrap(libc().socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE), "open an event socket"),
  );
  const address = new Uint8Array(SOCKADDR_NL_BYTES);
  address[0] = AF_NETLINK;
  unwrap(libc().bind(socket.number, address, address.length), "bind an event socket");
  setOption(socket, SOL_SOCKET, SO_RCVBUFFORCE, Int32Array.of(RECEIVE_BUFFER_BYTES));
  listenToAllNamespaces(socket);
  for (const group of [RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR]) {
    setOption(socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Int32Array.of(group));
  }
  return receiveBatches(socket, new PollWait(), signal);
}

function listenToAllNamespaces(socket: Fd): void {
  try {
    setOption(socket, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, Int32Array.of(1));
  } catch (cause) {
    if (!(cause instanceof SyscallError) || cause.errno !== EPERM) throw cause;
    throw new K8slanError(
      "MissingCapability",
      "Cannot hear of changes in other network namespaces: the capability CAP_NET_BROADCAST is " +
        "missing; grant it to the agent",
      { cause },
    );
  }
}

async function* receiveBatches(socket: Fd, poll: PollWait, signal: AbortSignal) {
  using _socket = socket;
  using _poll = poll;
  const wake = () => poll.wake();
  signal.addEventListener("abort", wake, { once: true });
  try {
    const receiver = new EventReceiver(socket);
    while (!signal.aborted) {
      await poll.wait([socket.number], Infinity);
      if (signal.aborted) return;
      const batch = receiver.drain();
      if (batch.overrun || batch.events.length > 0) yield batch;
    }
  } finally {
    signal.removeEventListener("abort", wake);
  }
}

/** recvmsg(2), because the namespace of an event comes as ancillary data. */
class EventReceiver {
  readonly #socket: Fd;
  readonly #data = new Uint8Array(64 * 1024);
  readonly #control = new Uint8Array(64);
  readonly #iov = new BigUint64Array(2);
  /** struct msghdr: name, namelen, iov, iovlen, control, controllen, flags. */
  readonly #header = new BigUint64Array(7);

  constructor(socket: Fd) {
    this.#socket = socket;
    this.#iov[0] = addressOf(this.#data);
    this.#iov[1] = BigInt(this.#data.length);
    this.#header[2] = addressOf(new Uint8Array(this.#iov.buffer));
    this.#header[3] = 1n;
    this.#header[4] = addressOf(this.#control);
  }

  /** Everything queued right now. */
  drain(): EventBatch {
    const events: KernelEvent[] = [];
    let overrun = false;
    for (;;) {
      this.#header[5] = BigInt(this.#control.length);
      const bytes = new Uint8Array(this.#header.buffer);
      try {
        const length = unwrap(
          libc().recvmsg(this.#socket.number, bytes, MSG_DONTWAIT),
          "receive events",
        );
        const netnsId = this.#netnsId();
        for (const message of decodeMessages(this.#data.slice(0, length))) {
          events.push({ netnsId, message });
        }
      } catch (error) {
        if (!(error instanceof SyscallError)) throw error;
        if (error.errno === EAGAIN) return { events, overrun };
        if (error.errno !== ENOBUFS) throw error;
        overrun = true;
      }
    }
  }

  /** struct cmsghdr: size_t len, int level, int type, then the id. */
  #netnsId(): number | undefined {
    if (Number(this.#header[5]) < 20) return undefined;
    const view = new DataView(this.#control.buffer);
    const isNetnsId = view.getInt32(8, true) === SOL_NETLINK &&
      view.getInt32(12, true) === NETLINK_LISTEN_ALL_NSID;
    return isNetnsId ? view.getInt32(16, true) : undefined;
  }
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
