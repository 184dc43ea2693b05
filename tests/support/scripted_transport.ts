/** A netlink socket that answers by script, for tests of the client. */

import type { Transport } from "../../src/netlink/client.ts";
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSGERR_ATTR_MSG,
} from "../../src/netlink/wire/constants.ts";
import { AttrWriter } from "../../src/netlink/wire/attrs.ts";
import { decodeMessages, encodeMessages, type Message } from "../../src/netlink/wire/message.ts";

/** The datagrams that answer the messages of the `nth` send, counted from 0. */
export type Script = (messages: readonly Message[], nth: number) => readonly Uint8Array[];

export class ScriptedTransport implements Transport {
  /** The messages of each datagram sent. */
  readonly sent: Message[][] = [];
  closed = false;
  readonly #script: Script;
  readonly #queue: Uint8Array[] = [];
  #lent = new Uint8Array();

  constructor(script: Script) {
    this.#script = script;
  }

  send(datagram: Uint8Array): void {
    const messages = [...decodeMessages(datagram.slice())];
    this.sent.push(messages);
    this.#queue.push(...this.#script(messages, this.sent.length - 1));
  }

  async sendInBackground(datagram: Uint8Array): Promise<void> {
    await Promise.resolve();
    this.send(datagram);
  }

  /** Throws when nothing is left, where a real socket would run into its time-out. */
  receive(): Uint8Array {
    // A datagram is valid until the next call, as with the real one: spoil the last.
    this.#lent.fill(0xee);
    const next = this.#queue.shift();
    if (next === undefined) throw new Error("Nothing left to receive");
    this.#lent = next.slice();
    return this.#lent;
  }

  [Symbol.dispose](): void {
    this.closed = true;
  }
}

/** One datagram of several messages. */
export function datagram(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function answer(
  to: Message,
  type: number,
  payload: Uint8Array,
  flags = 0,
): Uint8Array {
  return encodeMessages([{ type, flags, payload }], to.sequence);
}

/** An acknowledgement as a socket with NETLINK_CAP_ACK gets it. */
export function acknowledge(to: Message, errno = 0, text?: string): Uint8Array {
  const words = text === undefined ? 0 : NLM_F_ACK_TLVS;
  const echo = encodeMessages([{ ...to, payload: new Uint8Array() }], to.sequence);
  return answer(to, NLMSG_ERROR, outcome(errno, text, echo), NLM_F_CAPPED | words);
}

/** The end of a dump. */
export function done(to: Message, errno = 0, text?: string, flags = 0): Uint8Array {
  const words = text === undefined ? 0 : NLM_F_ACK_TLVS;
  return answer(to, NLMSG_DONE, outcome(errno, text), NLM_F_MULTI | words | flags);
}

function outcome(errno: number, text?: string, echo: Uint8Array = new Uint8Array()): Uint8Array {
  const writer = new AttrWriter().raw(new Uint8Array(Int32Array.of(-errno).buffer)).raw(echo);
  if (text !== undefined) writer.text(NLMSGERR_ATTR_MSG, text);
  return writer.finish();
}
