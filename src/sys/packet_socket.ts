/** Frames of one ethertype at a link of another namespace (packet(7)), without a tap on its traffic. */

import { EAGAIN } from "../base/errno.ts";
import { Fd } from "./fd.ts";
import { cString, libc } from "./libc.ts";
import { type Netns, withNetns } from "./netns.ts";
import { SyscallError, unwrap } from "./syscall_error.ts";

const EMSGSIZE = 90;
const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const SIOCGIFMTU = 0x8921n;
const SIOCGIFINDEX = 0x8933n;
const MSG_DONTWAIT = 0x40;
/** The length that the frame has, not that which fitted. */
const MSG_TRUNC = 0x20;
const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const POLLIN = 1;
/** Longer is for ever. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

export interface PacketSocketOptions {
  readonly netns: Netns;
  /** Names of links there: frames to the first are received, and sent through the second. */
  readonly receiveAt: string;
  readonly sendThrough: string;
  readonly ethertype: number;
  /** Numbers that stand at the beginning of each frame's payload: others never leave the kernel. */
  readonly words: readonly number[];
  /** What may wait to be read. Bytes, as the kernel reckons them. */
  readonly receiveBuffer: number;
}

export class PacketSocket implements Disposable {
  readonly #fd: Fd;
  readonly #receiveAt: string;
  readonly #destination: Uint8Array<ArrayBuffer>;

  /** Throws `SyscallError`, with ENODEV when a link is not there. */
  constructor(options: PacketSocketOptions) {
    const { netns, receiveAt, sendThrough, ethertype, words, receiveBuffer } = options;
    this.#receiveAt = receiveAt;
    // Protocol 0: nothing is received before the socket is bound to the one link.
    this.#fd = new Fd(withNetns(netns, () =>
      unwrap(
        libc().socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0),
        "open a packet socket",
      )));
    try {
      this.#option(SO_RCVBUF, new Uint8Array(Int32Array.of(receiveBuffer).buffer));
      this.#filter(words);
      const address = linkAddress(ethertype, this.#ask(SIOCGIFINDEX, receiveAt));
      this.#destination = linkAddress(ethertype, this.#ask(SIOCGIFINDEX, sendThrough));
      unwrap(libc().bind(this.#fd.number, address, address.length), `bind to "${receiveAt}"`);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  get number(): number {
    return this.#fd.number;
  }

  #option(name: number, value: Uint8Array<ArrayBuffer>): void {
    const result = libc().setsockopt(this.#fd.number, SOL_SOCKET, name, value, value.length);
    unwrap(result, `set option ${name} of a packet socket`);
  }

  /** Classic BPF, struct sock_filter: code u16, jump if true u8, if false u8, number u32. */
  #filter(words: readonly number[]): void {
    const [load, jumpEqual, end] = [0x20, 0x15, 0x06];
    const steps = words.flatMap((word, at) => [
      [load, 0, 0, 14 + 4 * at],
      [jumpEqual, 0, 2 * (words.length - at) - 1, word],
    ]);
    const program = [...steps, [end, 0, 0, 0xffff_ffff], [end, 0, 0, 0]];
    const bytes = new Uint8Array(8 * program.length);
    const view = new DataView(bytes.buffer);
    program.forEach(([code = 0, yes = 0, no = 0, number = 0], at) => {
      view.setUint16(8 * at, code, true);
      view.setUint8(8 * at + 2, yes);
      view.setUint8(8 * at + 3, no);
      view.setUint32(8 * at + 4, number, true);
    });
    // struct sock_fprog: u16 length, padding, pointer.
    const header = new BigUint64Array([
      BigInt(program.length),
      Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)),
    ]);
    this.#option(SO_ATTACH_FILTER, new Uint8Array(header.buffer));
  }

  /** struct ifreq: the name in 16 bytes, then a number. */
  #ask(request: bigint, name: string): number {
    const bytes = new Uint8Array(40);
    bytes.set(cString(name).subarray(0, 16));
    unwrap(libc().ioctl(this.#fd.number, request, bytes), `find "${name}"`);
    return new DataView(bytes.buffer).getInt32(16, true);
  }

  /** MTU of the link that is received at. Throws `SyscallError`. */
  mtu(): number {
    return this.#ask(SIOCGIFMTU, this.#receiveAt);
  }

  /** Returns false for a frame that is too long for the link. Throws `SyscallError`. */
  send(frame: Uint8Array<ArrayBuffer>): boolean {
    const { length } = this.#destination;
    try {
      unwrap(
        libc().sendto(
          ...[this.#fd.number, frame, BigInt(frame.length), MSG_DONTWAIT] as const,
          ...[this.#destination, length] as const,
        ),
        "send a frame",
      );
      return true;
    } catch (error) {
      if (error instanceof SyscallError && error.errno === EMSGSIZE) return false;
      throw error;
    }
  }

  /**
   * The beginning of a frame into `buffer`; returns the frame's length, undefined when none waits.
   * Throws `SyscallError`, as soon as the link is gone.
   */
  receive(buffer: Uint8Array<ArrayBuffer>): number | undefined {
    try {
      const { number } = this.#fd;
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      return unwrap(libc().recv(number, buffer, BigInt(buffer.length), flags), "receive a frame");
    } catch (error) {
      if (error instanceof SyscallError && error.errno === EAGAIN) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

/** struct sockaddr_ll: family, protocol (big-endian), index; the rest is for receiving. */
function linkAddress(ethertype: number, index: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ethertype, false);
  view.setInt32(4, index, true);
  return address;
}

/** Waits for many descriptors at once, on another thread, until one is ready, time is up, or `wake()`. */
export class PollWait implements Disposable {
  readonly #waker = new Fd(unwrap(libc().eventfd(0, EFD_CLOEXEC_NONBLOCK), "make an eventfd"));
  #isWaiting = false;

  /** Those of `numbers` that have something to be read, or an error to be told of. */
  async wait(numbers: readonly number[], timeoutMs: number): Promise<readonly number[]> {
    // struct pollfd: int fd, short events, short revents.
    const fds = new Int32Array([this.#waker.number, ...numbers].flatMap((fd) => [fd, POLLIN]));
    const bytes = new Uint8Array(fds.buffer);
    this.#isWaiting = true;
    const timeout = timeoutMs > TIMEOUT_MAX_MS ? -1 : Math.max(0, Math.ceil(timeoutMs));
    await libc().poll_async(bytes, BigInt(fds.length / 2), timeout);
    this.#isWaiting = false;
    const isReady = (at: number) => (fds[2 * at + 1] ?? 0) >>> 16 !== 0;
    if (isReady(0)) libc().read(this.#waker.number, new Uint8Array(8), 8n);
    return numbers.filter((_, at) => isReady(at + 1));
  }

  /** Ends the wait under way, or the next one at once. */
  wake(): void {
    libc().write(this.#waker.number, new Uint8Array(BigUint64Array.of(1n).buffer), 8n);
  }

  /** Not while a wait is under way: its number could be another's by then. */
  [Symbol.dispose](): void {
    if (this.#isWaiting) throw new Error("A wait is still under way");
    this.#waker[Symbol.dispose]();
  }
}
