/** Where hello frames of one LAN go out and come in: its VXLAN and its bridge, whatever becomes of them. */

import type { Lan } from "../api/lan.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { lanName } from "../plan/lan_plan.ts";
import { HELLO_ETHERTYPE } from "../probe/hello_codec.ts";
import { openNetns } from "../sys/netns.ts";
import { PacketSocket } from "../sys/packet_socket.ts";
import { SyscallError } from "../sys/syscall_error.ts";

/** What may wait for the agent: of a thousand nodes, or of a workload that floods it. Bytes. */
const RECEIVE_BUFFER_BYTES = 128 * 1024;

export class ProbeLink implements Disposable {
  readonly #lan: Lan;
  readonly #path: string;
  readonly #words: readonly number[];
  readonly #log: Log;
  #socket: PacketSocket | undefined;
  #mtu: number | undefined;
  /** Of the namespace that the socket is in. */
  #identity = "";
  #problem = "";
  #isForbidden = false;
  #isFresh = false;

  /** `path` is that of the LAN's namespace, `words` begin all of its hello frames. */
  constructor(lan: Lan, path: string, words: readonly number[], log: Log) {
    this.#lan = lan;
    this.#path = path;
    this.#words = words;
    this.#log = log;
  }

  /** Whether the agent lacks the capability. */
  get isForbidden(): boolean {
    return this.#isForbidden;
  }

  /** Whether the last `open()` connected anew, to a VXLAN that may be another one than before. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** To wait for; undefined while there is nothing to wait for. */
  get number(): number | undefined {
    return this.#socket?.number;
  }

  /** The LAN's MTU here, as far as it is known. Bytes. */
  get mtu(): number | undefined {
    return this.#mtu;
  }

  /** Sees to it that frames can pass, if they can at all; returns the LAN's MTU here. */
  open(): number | undefined {
    try {
      const identity = identityOf(this.#path);
      if (identity !== this.#identity) this[Symbol.dispose]();
      this.#isFresh = this.#socket === undefined;
      this.#socket ??= this.#connect();
      this.#identity = identity;
      this.#mtu = this.#socket.mtu();
      this.#problem = "";
      this.#isForbidden = false;
    } catch (error) {
      this.#fail(error);
    }
    return this.#mtu;
  }

  #connect(): PacketSocket {
    using netns = openNetns(this.#path);
    const { bridge, vxlan } = this.#lan.spec;
    return new PacketSocket({
      ...{ netns, receiveAt: bridge, sendThrough: vxlan, ethertype: HELLO_ETHERTYPE },
      ...{ words: this.#words, receiveBuffer: RECEIVE_BUFFER_BYTES },
    });
  }

  /** Returns whether it went out. */
  send(frame: Uint8Array<ArrayBuffer>): boolean {
    try {
      return this.#socket?.send(frame) ?? false;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** As `PacketSocket.receive`; undefined also when nothing can come any more. */
  receive(buffer: Uint8Array<ArrayBuffer>): number | undefined {
    try {
      return this.#socket?.receive(buffer);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Mostly a link is gone, which others mend: the next round opens everything anew. */
  #fail(error: unknown): void {
    this[Symbol.dispose]();
    this.#isForbidden = error instanceof SyscallError && error.errnoName === "EPERM";
    const message = describe(error);
    if (message === this.#problem) return;
    this.#problem = message;
    this.#log.debug("Cannot probe LAN now", { lan: lanName(this.#lan), error: message });
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
    this.#identity = "";
  }
}

/** As long as a socket is open in a namespace, no other gets its number. */
function identityOf(path: string): string {
  const { dev, ino } = Deno.statSync(path);
  return `${dev}:${ino}`;
}
