/** One LLDP frame through the LAN: sent and received as raw bytes, by packet sockets (packet(7)). */

import { Fd } from "../src/sys/fd.ts";
import { libc } from "../src/sys/libc.ts";
import { openNetns, withNetns } from "../src/sys/netns.ts";
import { unwrap } from "../src/sys/syscall_error.ts";

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const RECEIVE_SECONDS = 2n;
const ETHERTYPE_LLDP = 0x88cc;
/** "Nearest bridge": an ordinary bridge keeps what is sent there to itself (IEEE 802.1AB, 7.1). */
const LLDP_ADDRESS = "01:80:c2:00:00:0e";

/** Who says hello: station and port, as LLDP has them. */
export interface LldpSender {
  readonly mac: string;
  readonly port: string;
  readonly name: string;
}

/** The frame that an LLDP daemon on this port would send (IEEE 802.1AB, 8). */
export function lldpFrame({ mac, port, name }: LldpSender): Uint8Array<ArrayBuffer> {
  const text = (value: string) => new TextEncoder().encode(value);
  return join(
    macBytes(LLDP_ADDRESS),
    macBytes(mac),
    Uint8Array.of(ETHERTYPE_LLDP >> 8, ETHERTYPE_LLDP & 0xff),
    tlv(1, Uint8Array.of(4), macBytes(mac)), // chassis: by MAC address
    tlv(2, Uint8Array.of(5), text(port)), // port: by interface name
    tlv(3, Uint8Array.of(0, 120)), // valid for 120 seconds
    tlv(5, text(name)), // system name
    tlv(0), // end
  );
}

/** Seven bits of type, nine of length, value. */
function tlv(type: number, ...value: readonly Uint8Array[]): Uint8Array {
  const bytes = join(...value);
  return join(Uint8Array.of(type << 1 | bytes.length >> 8, bytes.length & 0xff), bytes);
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(":"), (byte) => parseInt(byte, 16));
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** LLDP frames of one interface, to send and to receive. */
export class LldpSocket implements Disposable {
  readonly #fd: Fd;

  /** `index` is the interface's in the namespace at `netns`. */
  constructor(netns: string, index: number) {
    using namespace = openNetns(netns);
    const protocol = networkOrder(ETHERTYPE_LLDP);
    this.#fd = new Fd(withNetns(namespace, () =>
      unwrap(
        libc().socket(AF_PACKET, SOCK_RAW_CLOEXEC, protocol),
        "open a packet socket",
      )));
    // struct sockaddr_ll: family, protocol, interface index; the rest is for others
    const address = new DataView(new ArrayBuffer(20));
    address.setUint16(0, AF_PACKET, true);
    address.setUint16(2, protocol, true);
    address.setInt32(4, index, true);
    const bytes = new Uint8Array(address.buffer);
    unwrap(libc().bind(this.#fd.number, bytes, bytes.length), `bind to interface ${index}`);
    const timeout = new Uint8Array(BigInt64Array.of(RECEIVE_SECONDS, 0n).buffer);
    unwrap(
      libc().setsockopt(this.#fd.number, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length),
      "limit the time to wait for a frame",
    );
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    unwrap(libc().send(this.#fd.number, frame, BigInt(frame.length), 0), "send a frame");
  }

  /** The next frame; undefined when none comes for two seconds. */
  receive(): Uint8Array<ArrayBuffer> | undefined {
    const buffer = new Uint8Array(2048);
    const length = libc().recv(this.#fd.number, buffer, BigInt(buffer.length), 0);
    return length < 0n ? undefined : buffer.slice(0, Number(length));
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

/** As the C library's htons() on the little-endian machines that Deno runs on. */
function networkOrder(value: number): number {
  return (value & 0xff) << 8 | value >> 8;
}
