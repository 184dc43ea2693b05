/** A machine behind a tap: it has an address, answers for it, and pings others. */

import { formatIp, parseIp } from "../../src/base/ip.ts";
import { formatMac } from "../../src/base/mac.ts";
import {
  ARP,
  arp,
  ARP_REPLY,
  ARP_REQUEST,
  BROADCAST,
  bytes,
  contains,
  ECHO_REPLY,
  ECHO_REPLY_V6,
  ECHO_REQUEST,
  ECHO_REQUEST_V6,
  ICMP,
  icmp,
  ICMPV6,
  icmpv6,
  IPV4,
  IPV6,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  neighbourAdvertisement,
  neighbourSolicitation,
  readEthernet,
  readU16,
} from "./packets.ts";
import type { TapQueue } from "./tap_device.ts";
import { until } from "./until.ts";

export interface GuestAddresses {
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Answers until it is disposed of. */
export class TapGuest implements AsyncDisposable {
  readonly #queue: TapQueue;
  readonly #own: GuestAddresses;
  readonly #running: Promise<void>;
  /** What came and was no question. */
  readonly #heard: Uint8Array[] = [];
  #stopped = false;

  constructor(queue: TapQueue, own: GuestAddresses) {
    this.#queue = queue;
    this.#own = own;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (!await this.#queue.readable(20)) continue;
      for (const frame of this.#queue.take()) {
        const answer = this.#answer(frame);
        if (answer === undefined) this.#heard.push(frame);
        else this.#queue.send(answer);
      }
    }
  }

  #answer(frame: Uint8Array): Uint8Array | undefined {
    const { src, type, payload } = readEthernet(frame);
    const { mac, ipv4, ipv6 } = this.#own;
    if (type === ARP && readU16(payload, 6) === ARP_REQUEST) {
      if (formatIp(payload.subarray(24, 28)) !== ipv4) return undefined;
      const sender = { mac: src, ip: formatIp(payload.subarray(14, 18)) };
      return arp(ARP_REPLY, { mac, ip: ipv4 }, sender);
    }
    if (type === IPV4 && payload[9] === ICMP && payload[20] === ECHO_REQUEST) {
      const end = readU16(payload, 2);
      const sender = { mac: src, ip: formatIp(payload.subarray(12, 16)) };
      return icmp({ mac, ip: ipv4 }, sender, ECHO_REPLY, payload.subarray(24, end));
    }
    if (type !== IPV6 || payload[6] !== ICMPV6) return undefined;
    const sender = { mac: src, ip: formatIp(payload.subarray(8, 24)) };
    if (payload[40] === NEIGHBOUR_SOLICITATION) {
      if (formatIp(payload.subarray(48, 64)) !== ipv6) return undefined;
      return neighbourAdvertisement({ mac, ip: ipv6 }, sender);
    }
    if (payload[40] !== ECHO_REQUEST_V6) return undefined;
    const end = 40 + readU16(payload, 4);
    return icmpv6({ mac, ip: ipv6 }, sender, ECHO_REPLY_V6, payload.subarray(44, end));
  }

  /** Asks for the address by ARP, then for an echo. Throws when either answer does not come. */
  async ping(ip: string): Promise<void> {
    const own = { mac: this.#own.mac, ip: this.#own.ipv4 };
    this.#queue.send(arp(ARP_REQUEST, own, { mac: BROADCAST, ip }));
    const reply = await this.#next(`ARP reply of ${ip}`, ({ type, payload }) => {
      return type === ARP && readU16(payload, 6) === ARP_REPLY &&
        formatIp(payload.subarray(14, 18)) === ip;
    });
    const mark = crypto.getRandomValues(new Uint8Array(16));
    this.#queue.send(icmp(own, { mac: formatMac(reply.subarray(6, 12)), ip }, ECHO_REQUEST, mark));
    await this.#next(`echo of ${ip}`, ({ type, payload }) => {
      return type === IPV4 && payload[20] === ECHO_REPLY && contains(payload, mark);
    });
  }

  /** The same by neighbour discovery and ICMPv6. */
  async ping6(ip: string): Promise<void> {
    const own = { mac: this.#own.mac, ip: this.#own.ipv6 };
    this.#queue.send(neighbourSolicitation(own, ip));
    const reply = await this.#next(`neighbour advertisement of ${ip}`, ({ type, payload }) => {
      return type === IPV6 && payload[40] === NEIGHBOUR_ADVERTISEMENT &&
        contains(payload.subarray(48, 64), parseIp(ip));
    });
    const target = { mac: formatMac(reply.subarray(6, 12)), ip };
    const mark = crypto.getRandomValues(new Uint8Array(16));
    this.#queue.send(icmpv6(own, target, ECHO_REQUEST_V6, bytes(mark)));
    await this.#next(`echo of ${ip}`, ({ type, payload }) => {
      return type === IPV6 && payload[40] === ECHO_REPLY_V6 && contains(payload, mark);
    });
  }

  async #next(
    what: string,
    matches: (frame: ReturnType<typeof readEthernet>) => boolean,
  ): Promise<Uint8Array> {
    const is = (frame: Uint8Array) => matches(readEthernet(frame));
    return await until(`the guest with ${this.#own.mac} hears: ${what}`, () => {
      return this.#heard.find(is);
    }, { interval: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
