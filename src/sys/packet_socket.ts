/** Frames of one ethertype at a link of another namespace (packet(7)), without a tap on its traffic. */

import { EAGAIN } from "../base/errno.ts";
import { Fd } from "./fd.ts";
import { cString, libc } from "./libc.ts";
import { type Netns, withNetns } from "./netns.ts";
import { setOption, SOL_SOCKET } from "./socket_option.ts";
import { SyscallError, unwrap } from "./syscall_error.ts";

const EMSGSIZE = 90;
const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const SIOCGIFMTU = 0x8921n;
const SIOCGIFINDEX = 0x8933n;
const MSG_DONTWAIT = 0x40;
/** The length that the frame has, not that which fitted. */
const MSG_TRUNC = 0x20;

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
      setOption(this.#fd, SOL_SOCKET, SO_RCVBUF, Int32Array.of(receiveBuffer));
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
    setOption(this.#fd, SOL_SOCKET, SO_ATTACH_FILTER, header);
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
