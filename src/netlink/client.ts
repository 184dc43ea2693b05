/** Request and answer over a netlink socket. */

import { NetlinkError } from "./errors.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_OVERRUN,
} from "./wire/constants.ts";
import {
  type Acknowledgement,
  decodeAcknowledgement,
  decodeMessages,
  encodeMessages,
  type Message,
  type Request,
} from "./wire/message.ts";

/**
 * A netlink socket, bound to the namespace in which it was opened. Both calls are synchronous: the
 * kernel carries rtnetlink requests out inside `send`, so that answers are there when it returns.
 */
export interface Transport extends Disposable {
  /** Sends one datagram, which may hold several messages. */
  send(datagram: Uint8Array): void;
  /** The next datagram, valid until the next call. */
  receive(): Uint8Array;
  /** As `send`, on another thread: for requests that keep the kernel busy for long. */
  sendInBackground(datagram: Uint8Array): Promise<void>;
  /** As disposing of it, on another thread, where there is one to spare. */
  closeInBackground?(): Promise<void>;
}

/** How often a dump that the kernel marked as inconsistent is repeated. */
const DUMP_ATTEMPTS = 30;

/** Acknowledgements are queued on the socket before they are read: more per send would overrun it. */
const MESSAGES_PER_SEND = 64;

/** One socket in one namespace, one request after the other. */
export class NetlinkClient implements Disposable {
  readonly #transport: Transport;
  #sequence = 1;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Sends requests that are answered by acknowledgements only, together.
   *
   * The kernel carries all of them out, in order, whether or not an earlier one fails.
   * Throws the `NetlinkError` of the first that failed.
   */
  execute(requests: readonly Request[]): void {
    for (const [at, ack] of this.tryExecute(requests).entries()) {
      if (ack.errno === 0 || ack.errno === requests[at]!.tolerates) continue;
      throw new NetlinkError(requests[at]!.summary, ack.errno, ack.text, at);
    }
  }

  /**
   * As `execute` for one request that takes the kernel long, without holding up the caller: removing
   * a link ends with a wait for all CPUs (rcu_barrier), about 20 ms. Nothing else may be asked of
   * this client until it has settled.
   */
  async executeInBackground(request: Request): Promise<void> {
    const sequence = this.#number([request]);
    await this.#transport.sendInBackground(encodeMessages([request], sequence));
    const [ack] = this.#acknowledgements(sequence, 1);
    if (ack!.errno !== 0) throw new NetlinkError(request.summary, ack!.errno, ack!.text);
  }

  /** As `execute`, giving each request's outcome instead of throwing. */
  tryExecute(requests: readonly Request[]): Acknowledgement[] {
    const results: Acknowledgement[] = [];
    for (let start = 0; start < requests.length; start += MESSAGES_PER_SEND) {
      const chunk = requests.slice(start, start + MESSAGES_PER_SEND);
      const first = this.#send(chunk);
      results.push(...this.#acknowledgements(first, chunk.length));
    }
    return results;
  }

  /**
   * Sends requests of which the kernel carries out all or none, between `begin` and `end`; without an
   * `end` it only tries them. In one datagram: about a hundred small ones fit.
   *
   * Throws the `NetlinkError` of the first that failed.
   */
  executeTogether(begin: Request, requests: readonly Request[], end?: Request): void {
    // Failures are told unasked, in order; that of the whole in answer to `begin`.
    const last = requests.length;
    const all = [
      begin,
      ...requests.map((request, at) =>
        at === last - 1 ? request : { ...request, flags: request.flags & ~NLM_F_ACK }
      ),
      ...(end === undefined ? [] : [end]),
    ];
    const first = this.#send(all);
    let failure: NetlinkError | undefined;
    for (;;) {
      for (const message of decodeMessages(this.#transport.receive())) {
        const at = message.sequence - first;
        if (message.type !== NLMSG_ERROR || at < 0 || at >= all.length) continue;
        const { errno, text } = decodeAcknowledgement(message);
        if (errno !== 0) failure ??= new NetlinkError(all[at]!.summary, errno, text, at - 1);
        if (at !== last && !(at === 0 && errno !== 0)) continue;
        if (failure === undefined) return;
        throw failure;
      }
    }
  }

  #acknowledgements(first: number, count: number): Acknowledgement[] {
    const acks: Acknowledgement[] = [];
    for (let open = count; open > 0;) {
      for (const message of decodeMessages(this.#transport.receive())) {
        const at = message.sequence - first;
        if (message.type !== NLMSG_ERROR || at < 0 || at >= count) continue;
        if (acks[at] !== undefined) continue;
        acks[at] = decodeAcknowledgement(message);
        open--;
      }
    }
    return acks;
  }

  /** The single answer to `request`, decoded. Throws `NetlinkError` ("ENODEV" for a link not there). */
  get<T>(request: Request, decode: (payload: Uint8Array) => T): T {
    const sequence = this.#send([request]);
    for (;;) {
      for (const message of decodeMessages(this.#transport.receive())) {
        if (message.sequence !== sequence) continue;
        if (message.type === NLMSG_ERROR) {
          const ack = decodeAcknowledgement(message);
          throw new NetlinkError(request.summary, ack.errno, ack.text);
        }
        return decode(message.payload);
      }
    }
  }

  /** All answers to a dump, decoded; repeated when the kernel says that the table changed meanwhile. */
  dump<T>(request: Request, decode: (payload: Uint8Array) => T): T[] {
    for (let attempt = 1;; attempt++) {
      const { items, interrupted } = this.#dumpOnce(request, decode);
      if (!interrupted || attempt >= DUMP_ATTEMPTS) return items;
    }
  }

  #dumpOnce<T>(request: Request, decode: (payload: Uint8Array) => T) {
    const sequence = this.#send([{ ...request, flags: request.flags | NLM_F_DUMP }]);
    const items: T[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of decodeMessages(this.#transport.receive())) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_DONE) return this.#doneOf(request, message, items, interrupted);
        if (message.type === NLMSG_OVERRUN) interrupted = true;
        else if (message.type === NLMSG_ERROR) {
          const ack = decodeAcknowledgement(message);
          throw new NetlinkError(request.summary, ack.errno, ack.text);
        } else items.push(decode(message.payload));
      }
    }
  }

  /** A dump can still fail at its end: NLMSG_DONE carries errno and words then. */
  #doneOf<T>(request: Request, message: Message, items: T[], interrupted: boolean) {
    const { errno, text } = decodeAcknowledgement(message);
    if (errno !== 0) throw new NetlinkError(request.summary, errno, text);
    return { items, interrupted };
  }

  #send(requests: readonly Request[]): number {
    const first = this.#number(requests);
    this.#transport.send(encodeMessages(requests, first));
    return first;
  }

  /** Sequence number of the first of `requests`. */
  #number(requests: readonly Request[]): number {
    const first = this.#sequence;
    this.#sequence = (first + requests.length) % 0x7fff_0000 + 1;
    return first;
  }

  /**
   * As disposing of it, without holding up the caller: closing any socket of netfilter waits until
   * rules that were removed in its namespace are no longer looked at, about 10 ms.
   */
  async closeInBackground(): Promise<void> {
    if (this.#transport.closeInBackground === undefined) return this[Symbol.dispose]();
    await this.#transport.closeInBackground();
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}
