/** A counted stream to an address that moves from one port of a LAN to another. */

import { BROADCAST, bytes, ethernet, u16 } from "./packets.ts";
import { parseMac } from "../../src/base/mac.ts";
import { SyscallError } from "../../src/sys/syscall_error.ts";
import type { FrameSocket } from "./raw_frames.ts";

/** The ends of the wires: of somebody who sends, and of where the address was and will be. */
export interface HandOverEnds {
  readonly sender: FrameSocket;
  readonly source: FrameSocket;
  readonly target: FrameSocket;
  /** The address. */
  readonly mac: string;
}

export interface HandOverReport {
  /** From the last frame that came at the source to the first at the target. Milliseconds. */
  readonly gapMs: number;
  /** Frames that came nowhere. */
  readonly lost: number;
  /** Frames that came at the target before anybody gave it the address. */
  readonly early: number;
  /** Frames that came at the source after one had come at the target. */
  readonly late: number;
}

interface Arrival {
  readonly number: number;
  /** By the clock of performance.now(). */
  readonly at: number;
}

/** For local experiments (IEEE 802, clause 9). */
const EXPERIMENT = 0x88b5;
const RARP = 0x8035;
const SENDER = "02:00:00:00:00:77";
/** Frames before and after the address moves. */
const ENOUGH = 200;
const DEADLINE_MS = 15_000;
const PROBE_MS = 300;
const ENETDOWN = 100;

export class HandOver {
  readonly #ends: HandOverEnds;
  readonly #tag = crypto.getRandomValues(new Uint32Array(1))[0]!;
  readonly #atSource: Arrival[] = [];
  readonly #atTarget: Arrival[] = [];
  #sent = 0;

  constructor(ends: HandOverEnds) {
    this.#ends = ends;
    for (const end of [ends.source, ends.target]) takeWhileThere(end);
  }

  /** The target says that the address is there, as QEMU does when a guest starts to run in it. */
  announced(): HandOverReport {
    const { target, mac } = this.#ends;
    this.#stepUntil("the source hears", () => this.#atSource.length >= ENOUGH);
    const from = this.#sent;
    target.send(rarp(mac));
    this.#stepUntil("the target hears", () => this.#atTarget.length >= ENOUGH);
    return this.#report(from);
  }

  /** `act` takes the source away, and nobody says anything; a frame is sent about each millisecond. */
  async silent(act: () => Promise<void>): Promise<HandOverReport> {
    this.#stepUntil("the source hears", () => this.#atSource.length >= ENOUGH);
    const from = this.#sent;
    let done = false;
    const acting = act().finally(() => done = true);
    acting.catch(() => {}); // thrown below
    const deadline = performance.now() + DEADLINE_MS;
    while (!done || this.#atTarget.length < ENOUGH) {
      if (performance.now() > deadline) break;
      this.#step();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await acting;
    return this.#report(from);
  }

  /** Whether `count` frames that are sent now come at the source, at the target, or nowhere. */
  async probe(count = 20): Promise<{ readonly source: number; readonly target: number }> {
    const before = [this.#atSource.length, this.#atTarget.length] as const;
    for (let at = 0; at < count; at++) this.#step();
    // Frames that come at all come long before.
    const deadline = performance.now() + PROBE_MS;
    do {
      await new Promise((resolve) => setTimeout(resolve, 5));
      this.#take();
    } while (performance.now() < deadline);
    return { source: this.#atSource.length - before[0], target: this.#atTarget.length - before[1] };
  }

  /** Median of `rounds` ways to the source and back, without anybody moving. Milliseconds. */
  roundTrip(rounds = 200): number {
    const { sender, source, mac } = this.#ends;
    const times = Array.from({ length: rounds }, () => {
      const began = performance.now();
      const number = this.#sent++;
      sender.send(this.#frame(mac, SENDER, number));
      this.#waitFor(source, number);
      source.send(this.#frame(SENDER, mac, number));
      this.#waitFor(sender, number);
      return performance.now() - began;
    });
    return times.sort((one, other) => one - other)[Math.floor(rounds / 2)]!;
  }

  #waitFor(end: FrameSocket, number: number): void {
    const deadline = performance.now() + DEADLINE_MS;
    while (!end.take().some((frame) => this.#numberOf(frame) === number)) {
      if (performance.now() > deadline) throw new Error(`Frame ${number} never came`);
    }
  }

  #stepUntil(what: string, done: () => boolean): void {
    const deadline = performance.now() + DEADLINE_MS;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`Not within ${DEADLINE_MS} ms: ${what}`);
      this.#step();
    }
  }

  #step(): void {
    const { sender, mac } = this.#ends;
    sender.send(this.#frame(mac, SENDER, this.#sent++));
    this.#take();
  }

  #take(): void {
    for (const [end, arrivals] of this.#receivers()) {
      const frames = takeWhileThere(end);
      const at = performance.now();
      for (const frame of frames) {
        const number = this.#numberOf(frame);
        if (number !== undefined) arrivals.push({ number, at });
      }
    }
  }

  #receivers(): readonly (readonly [FrameSocket, Arrival[]])[] {
    const { source, target } = this.#ends;
    return [[source, this.#atSource], [target, this.#atTarget]];
  }

  #report(from: number): HandOverReport {
    const first = this.#atTarget.find(({ number }) => number >= from);
    const last = this.#atSource.findLast(({ at }) => first === undefined || at <= first.at);
    if (first === undefined || last === undefined) throw new Error("The address did not move");
    const came = new Set([...this.#atSource, ...this.#atTarget].map(({ number }) => number));
    const until = this.#atTarget.at(-1)?.number ?? 0;
    const sent = Array.from({ length: until - from }, (_, at) => from + at);
    return {
      gapMs: Math.max(first.at - last.at, 0),
      lost: sent.filter((number) => !came.has(number)).length,
      early: this.#atTarget.filter(({ number }) => number < from).length,
      late: this.#atSource.filter(({ number }) => number > first.number).length,
    };
  }

  #frame(dst: string, src: string, number: number) {
    const payload = new Uint8Array(46);
    const view = new DataView(payload.buffer);
    view.setUint32(0, this.#tag);
    view.setUint32(4, number);
    return ethernet({ dst, src, type: EXPERIMENT }, payload);
  }

  #numberOf(frame: Uint8Array): number | undefined {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    if (frame.length < 22 || view.getUint16(12) !== EXPERIMENT) return undefined;
    return view.getUint32(14) === this.#tag ? view.getUint32(18) : undefined;
  }
}

/** Nothing comes any more where the link itself has gone. */
function takeWhileThere(end: FrameSocket): Uint8Array[] {
  try {
    return end.take();
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENETDOWN) return [];
    throw error;
  }
}

/** A reverse ARP request of `mac` for itself (RFC 903): what QEMU sends after a migration. */
export function rarp(mac: string) {
  const own = parseMac(mac);
  const none = [0, 0, 0, 0];
  const payload = bytes(
    u16(1),
    u16(0x0800),
    [6, 4],
    u16(3),
    own,
    none,
    own,
    none,
    Array(18).fill(0),
  );
  return ethernet({ dst: BROADCAST, src: mac, type: RARP }, payload);
}
