/** A stream of numbered frames between two links: whether every one of them arrived, once and in order. */

import { parseMac } from "../../src/base/mac.ts";
import { BROADCAST } from "./packets.ts";
import { FrameSocket } from "./raw_frames.ts";

/** Where frames leave or arrive. */
export interface StreamEnd {
  readonly netns: string;
  readonly ifname: string;
}

export interface StreamReport {
  readonly sent: number;
  /** Numbers that never came. */
  readonly lost: readonly number[];
  /** Frames that came again, or after a later one. */
  readonly outOfPlace: number;
}

/** Address of the station that frames come from. */
export const STREAM_SOURCE = "02:00:00:00:00:77";
/** For local experiments (IEEE 802, clause 9). */
const ETHERTYPE = [0x88, 0xb5];
const HEADER_BYTES = 14;
const FRAME_BYTES = 60;
/** The last frames may still be on their way. Milliseconds. */
const LATE = 1_000;
/**
 * In one step at most: who stood still for a while must not send all that is overdue at once, which the
 * kernel's queue (net.core.netdev_max_backlog, 1,000 frames) would not hold.
 */
const BURST = 200;
/** Between two looks, which take time from what else the machine has to do. Milliseconds. */
const STEP = 4;

/** Sends `perSecond` frames a second, to all so that nothing has to be learned or to `dst`, until stopped. */
export class NumberedStream implements Disposable {
  readonly #sender: FrameSocket;
  readonly #receiver: FrameSocket;
  readonly #seen: number[] = [];
  readonly #perSecond: number;
  readonly #dst: string;
  readonly #src: string;
  /** Tells the frames of one stream from those of others on the same LAN. */
  readonly #tag = crypto.getRandomValues(new Uint32Array(1))[0]!;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Frames that are due, a part of one included. */
  #due = 0;
  #steppedAt = performance.now();
  #sent = 0;

  constructor(
    from: StreamEnd,
    to: StreamEnd,
    perSecond = 1_000,
    dst = BROADCAST,
    src = STREAM_SOURCE,
  ) {
    this.#perSecond = perSecond;
    this.#dst = dst;
    this.#src = src;
    this.#receiver = new FrameSocket(to.netns, to.ifname);
    this.#sender = new FrameSocket(from.netns, from.ifname);
    this.#timer = setInterval(() => this.#step(), STEP);
  }

  #step(): void {
    const now = performance.now();
    this.#due += (now - this.#steppedAt) * this.#perSecond / 1_000;
    this.#due = Math.min(this.#due, BURST);
    this.#steppedAt = now;
    for (; this.#due > 0; this.#due--) {
      this.#sender.send(frame(this.#dst, this.#src, this.#tag, this.#sent++));
    }
    this.#take(this.#receiver.take());
  }

  #take(frames: readonly Uint8Array[]): void {
    for (const bytes of frames) {
      if (bytes[12] !== ETHERTYPE[0] || bytes[13] !== ETHERTYPE[1]) continue;
      const payload = new DataView(bytes.buffer, bytes.byteOffset + HEADER_BYTES);
      if (payload.getUint32(0) === this.#tag) this.#seen.push(payload.getUint32(4));
    }
  }

  /** How many have been sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Ends the stream and says what became of it. */
  async stop(): Promise<StreamReport> {
    clearInterval(this.#timer);
    const deadline = performance.now() + LATE;
    while (this.#seen.at(-1) !== this.#sent - 1 && performance.now() < deadline) {
      this.#take(await this.#receiver.takeUntil((frames) => frames.length > 0, 100));
    }
    // What has come while this process stood still has come in time.
    this.#take(this.#receiver.take());
    const there = new Set(this.#seen);
    return {
      sent: this.#sent,
      lost: Array.from({ length: this.#sent }, (_, at) => at).filter((at) => !there.has(at)),
      outOfPlace: this.#seen.filter((number, at) => number <= (this.#seen[at - 1] ?? -1)).length,
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#sender[Symbol.dispose]();
    this.#receiver[Symbol.dispose]();
  }
}

function frame(dst: string, src: string, tag: number, number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_BYTES);
  bytes.set(parseMac(dst));
  bytes.set(parseMac(src), 6);
  bytes.set(ETHERTYPE, 12);
  const payload = new DataView(bytes.buffer, HEADER_BYTES);
  payload.setUint32(0, tag);
  payload.setUint32(4, number);
  return bytes;
}
