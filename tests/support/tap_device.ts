/** A macvtap's character device, opened and set up as QEMU and libvirt do it (macvtap, if_tun.h). */

import { EAGAIN } from "../../src/base/errno.ts";
import { Fd } from "../../src/sys/fd.ts";
import { cString, libc } from "../../src/sys/libc.ts";
import { openNetns, withNetns } from "../../src/sys/netns.ts";
import { SyscallError, unwrap } from "../../src/sys/syscall_error.ts";
import { waitReadable } from "./raw_frames.ts";

const O_RDWR_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const TUNSETIFF = 0x400454can;
const TUNGETIFF = 0x800454d2n;
const TUNGETFEATURES = 0x800454cfn;
const TUNSETVNETHDRSZ = 0x400454d8n;
const TUNSETOFFLOAD = 0x400454d0n;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;

/** struct virtio_net_hdr_v1, as virtio 1.0 devices have it; 10 bytes is what older ones use. */
const VNET_HEADER_BYTES = 12;

export interface TapOptions {
  /** Each frame with a virtio header before it, as for a virtio device; else frames alone. */
  readonly vnetHeader?: boolean;
  /** What the guest takes: TUN_F_CSUM and the like. */
  readonly offloads?: number;
  /** An ordinary tap (tun(4)) that is made by opening it, in place of a macvtap's. */
  readonly tun?: { readonly netns: string; readonly ifname: string };
}

/** A frame in a virtio header's company. */
export interface TapFrame {
  /** All zero for a frame that is complete as it is. */
  readonly header: Uint8Array;
  readonly frame: Uint8Array<ArrayBuffer>;
}

/** One queue of the device: every open file is one. */
export class TapQueue implements Disposable {
  readonly #fd: Fd;
  readonly #path: string;
  readonly #headerBytes: number;
  readonly #buffer = new Uint8Array(80 * 1024);

  constructor(path: string, { vnetHeader = true, offloads = 0, tun }: TapOptions = {}) {
    this.#path = path;
    this.#headerBytes = vnetHeader ? VNET_HEADER_BYTES : 0;
    const open = () =>
      new Fd(unwrap(libc().open(cString(path), O_RDWR_NONBLOCK_CLOEXEC, 0), `open "${path}"`));
    // A tap of tun(4) belongs to the namespace in which it is opened.
    using netns = tun === undefined ? undefined : openNetns(tun.netns);
    this.#fd = netns === undefined ? open() : withNetns(netns, open);
    try {
      this.#setUp(tun?.ifname ?? this.ifname, vnetHeader, offloads);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** libvirt's virNetDevMacVLanTapSetup, then QEMU's net_init_tap. */
  #setUp(ifname: string, vnetHeader: boolean, offloads: number): void {
    const features = this.#number(TUNGETFEATURES);
    const flags = IFF_TAP | IFF_NO_PI | (features & IFF_MULTI_QUEUE) |
      (vnetHeader ? features & IFF_VNET_HDR : 0);
    const request = new Uint8Array(40);
    request.set(cString(ifname));
    new DataView(request.buffer).setUint16(16, flags, true);
    this.#ioctl(TUNSETIFF, request, "TUNSETIFF");
    if (!vnetHeader) return;
    this.#ioctl(
      TUNSETVNETHDRSZ,
      new Uint8Array(Int32Array.of(VNET_HEADER_BYTES).buffer),
      "TUNSETVNETHDRSZ",
    );
    // The value itself, in the place of an address.
    const { tap_offload } = offloadLibrary();
    unwrap(tap_offload(this.#fd.number, TUNSETOFFLOAD, BigInt(offloads)), "do TUNSETOFFLOAD");
  }

  #number(request: bigint): number {
    const value = new Uint8Array(4);
    this.#ioctl(request, value, `ioctl ${request.toString(16)}`);
    return new DataView(value.buffer).getUint32(0, true);
  }

  #ioctl(request: bigint, data: Uint8Array<ArrayBuffer>, what: string): void {
    unwrap(libc().ioctl(this.#fd.number, request, data), `do ${what} on "${this.#path}"`);
  }

  /** The interface that the device belongs to, as the kernel says. */
  get ifname(): string {
    const request = new Uint8Array(40);
    this.#ioctl(TUNGETIFF, request, "TUNGETIFF");
    return new TextDecoder().decode(request.subarray(0, request.indexOf(0)));
  }

  /** Sends as the guest does. A header of its own is for what its device leaves to the host. */
  send(frame: Uint8Array, header: Uint8Array = new Uint8Array(this.#headerBytes)): void {
    const data = Uint8Array.of(...header, ...frame);
    const length = libc().write(this.#fd.number, data, BigInt(data.length));
    assertWhole(unwrap(length, `write to "${this.#path}"`), data.length);
  }

  /** Every frame that has come since the last look. */
  takeFrames(): TapFrame[] {
    const found: TapFrame[] = [];
    for (;;) {
      try {
        const size = BigInt(this.#buffer.length);
        const length = unwrap(
          libc().read(this.#fd.number, this.#buffer, size),
          `read "${this.#path}"`,
        );
        found.push({
          header: this.#buffer.slice(0, this.#headerBytes),
          frame: this.#buffer.slice(this.#headerBytes, length),
        });
      } catch (error) {
        if (error instanceof SyscallError && error.errno === EAGAIN) return found;
        throw error;
      }
    }
  }

  take(): Uint8Array<ArrayBuffer>[] {
    return this.takeFrames().map(({ frame }) => frame);
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
      if (await this.readable(left)) frames.push(...this.take());
    }
    return frames;
  }

  /** Waits, at most `timeout` milliseconds, until a frame is there. */
  readable(timeout: number): Promise<boolean> {
    return waitReadable(this.#fd, timeout);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

function assertWhole(written: number, length: number): void {
  if (written !== length) throw new Error(`The tap took ${written} of ${length} bytes`);
}

function openOffloadLibrary() {
  return Deno.dlopen("libc.so.6", {
    // int ioctl(int fd, unsigned long op, unsigned long argument)
    tap_offload: { name: "ioctl", parameters: ["i32", "usize", "usize"], result: "i32" },
  }).symbols;
}

let opened: ReturnType<typeof openOffloadLibrary> | undefined;

function offloadLibrary() {
  return opened ??= openOffloadLibrary();
}
