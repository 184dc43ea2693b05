/** Ethernet frames as they are, sent and received at a link of any namespace (packet(7)). */

import { EAGAIN } from "../../src/base/errno.ts";
import { Fd } from "../../src/sys/fd.ts";
import { libc } from "../../src/sys/libc.ts";
import { openNetns, withNetns } from "../../src/sys/netns.ts";
import { SyscallError, unwrap } from "../../src/sys/syscall_error.ts";

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const ETH_P_ALL = 3;
const SIOCGIFINDEX = 0x8933n;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;
const PACKET_IGNORE_OUTGOING = 23;
const TP_STATUS_VLAN_VALID = 1 << 4;
const POLLIN = 1;
/** Holds the largest frame the kernel makes. Bytes. */
const FRAME_MAX = 80 * 1024;
/** Holds some thousand frames, so that none is lost while a test does something else. */
const RECEIVE_BUFFER_BYTES = 32 << 20;

export interface FrameSocketOptions {
  /** Also what is sent through the link, by whoever it is. */
  readonly outgoing?: boolean;
}

/** Sends and receives at one link; receives from the moment it is made. */
export class FrameSocket implements Disposable {
  readonly #fd: Fd;
  readonly #what: string;
  readonly #data = new Uint8Array(FRAME_MAX);
  readonly #control = new Uint8Array(64);
  readonly #iov = new BigUint64Array(2);
  /** struct msghdr: name, namelen, iov, iovlen, control, controllen, flags. */
  readonly #header = new BigUint64Array(7);

  constructor(netnsPath: string, ifname: string, { outgoing = false }: FrameSocketOptions = {}) {
    this.#what = `"${ifname}" in "${netnsPath}"`;
    using netns = openNetns(netnsPath);
    // Protocol 0: nothing is received before the socket is bound to the one link.
    this.#fd = new Fd(withNetns(netns, () =>
      unwrap(
        libc().socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0),
        `open a packet socket for ${this.#what}`,
      )));
    try {
      this.#option(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
      this.#option(SOL_PACKET, PACKET_AUXDATA, 1);
      if (!outgoing) this.#option(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
      this.#bind(ifname);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.#iov[0] = addressOf(this.#data);
    this.#iov[1] = BigInt(this.#data.length);
    this.#header[2] = addressOf(new Uint8Array(this.#iov.buffer));
    this.#header[3] = 1n;
    this.#header[4] = addressOf(this.#control);
  }

  #option(level: number, name: number, value: number): void {
    const bytes = new Uint8Array(Int32Array.of(value).buffer);
    const result = libc().setsockopt(this.#fd.number, level, name, bytes, bytes.length);
    unwrap(result, `set option ${name} of the packet socket for ${this.#what}`);
  }

  #bind(ifname: string): void {
    // struct ifreq: the name in 16 bytes, then the index.
    const request = new Uint8Array(40);
    request.set(new TextEncoder().encode(ifname));
    unwrap(libc().ioctl(this.#fd.number, SIOCGIFINDEX, request), `find ${this.#what}`);
    // struct sockaddr_ll: family, protocol (big-endian), index; the rest is for sending without bind.
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_ALL, false);
    view.setInt32(4, new DataView(request.buffer).getInt32(16, true), true);
    unwrap(libc().bind(this.#fd.number, address, address.length), `bind to ${this.#what}`);
  }

  /** Throws `SyscallError` "EMSGSIZE" for a frame that is too long for the link. */
  send(frame: Uint8Array<ArrayBuffer>): void {
    const length = BigInt(frame.length);
    unwrap(libc().send(this.#fd.number, frame, length, 0), `send at ${this.#what}`);
  }

  /** Every frame that has come since the last look. */
  take(): Uint8Array<ArrayBuffer>[] {
    const frames: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      this.#header[5] = BigInt(this.#control.length);
      const header = new Uint8Array(this.#header.buffer);
      try {
        const length = unwrap(
          libc().recvmsg(this.#fd.number, header, 0),
          `receive at ${this.#what}`,
        );
        frames.push(withTag(this.#data.slice(0, length), this.#vlanTag()));
      } catch (error) {
        if (error instanceof SyscallError && error.errno === EAGAIN) return frames;
        throw error;
      }
    }
  }

  /** All frames up to the moment when they are `enough`, or `timeout` milliseconds have passed. */
  async takeUntil(
    enough: (frames: readonly Uint8Array[]) => boolean,
    timeout = 5_000,
  ): Promise<Uint8Array<ArrayBuffer>[]> {
    const deadline = performance.now() + timeout;
    const frames = this.take();
    while (!enough(frames)) {
      const left = deadline - performance.now();
      if (left <= 0) break;
      if (await waitReadable(this.#fd, left)) frames.push(...this.take());
    }
    return frames;
  }

  /** The first frame for which `matches` holds. Throws when none comes within `timeout`. */
  async first(
    what: string,
    matches: (frame: Uint8Array) => boolean,
    timeout = 5_000,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const frames = await this.takeUntil((all) => all.some(matches), timeout);
    const found = frames.find(matches);
    if (found !== undefined) return found;
    throw new Error(`Not within ${timeout} ms at ${this.#what}, among ${frames.length}: ${what}`);
  }

  /** The tag that the kernel has taken out of the frame: struct cmsghdr, struct tpacket_auxdata. */
  #vlanTag(): Uint8Array | undefined {
    if (Number(this.#header[5]) < 36) return undefined;
    const view = new DataView(this.#control.buffer);
    const isAuxdata = view.getInt32(8, true) === SOL_PACKET &&
      view.getInt32(12, true) === PACKET_AUXDATA;
    if (!isAuxdata || (view.getUint32(16, true) & TP_STATUS_VLAN_VALID) === 0) return undefined;
    const tag = new DataView(new ArrayBuffer(4));
    tag.setUint16(0, view.getUint16(34, true));
    tag.setUint16(2, view.getUint16(32, true));
    return new Uint8Array(tag.buffer);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

/** Puts a VLAN tag back between the addresses and the type, where it was on the wire. */
function withTag(
  frame: Uint8Array<ArrayBuffer>,
  tag: Uint8Array | undefined,
): Uint8Array<ArrayBuffer> {
  return tag === undefined
    ? frame
    : Uint8Array.of(...frame.subarray(0, 12), ...tag, ...frame.subarray(12));
}

/** Waits, at most `timeout` milliseconds, until something can be read. */
export async function waitReadable(fd: Fd, timeout: number): Promise<boolean> {
  const pollfd = new Uint8Array(Int32Array.of(fd.number, POLLIN).buffer);
  return await libc().poll_async(pollfd, 1n, Math.ceil(timeout)) > 0;
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
