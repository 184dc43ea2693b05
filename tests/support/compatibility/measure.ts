/** Sends real frames through every cell, and says what became of them. */

import { SyscallError } from "../../../src/sys/syscall_error.ts";
import { sentinel } from "../frame_kinds.ts";
import {
  type Cell,
  keys,
  LAN_MTU,
  type Outcome,
  type PathId,
  PATHS,
  type SubjectId,
  SUBJECTS,
  TRAFFIC,
  type TrafficId,
} from "./matrix.ts";
import type { CompatibilityStage, Speaker } from "./stage.ts";

const EMSGSIZE = 90;
/** What is sent before a sentinel comes before it, unless the kernel moved the sender to another CPU. */
const SENTINELS = 3;
/** Frames at once, so that no queue on the way is full. */
const BATCH = 128;

type OneWay = "works" | "lost" | "refused";
type Results = Record<TrafficId, OneWay>;

/** All cells of one subject over one path. */
export async function measure(
  stage: CompatibilityStage,
  subjectId: SubjectId,
  path: PathId,
): Promise<ReadonlyMap<TrafficId, Outcome>> {
  const [subject, partner] = stage.ends(subjectId, path);
  // Both know the other before: a bridge that has to flood delivers as well.
  const sent = await passAll(subject, partner);
  const received = await passAll(partner, subject);
  return new Map(
    keys(TRAFFIC).map((traffic) => [traffic, joined(sent[traffic], received[traffic])]),
  );
}

function joined(sent: OneWay, received: OneWay): Outcome {
  if (sent === received) return sent;
  if (received === "refused") return "lost, or refused";
  return sent === "works" ? "sends only" : "receives only";
}

async function passAll(from: Speaker, to: Speaker): Promise<Results> {
  const path = { src: from.mac, dst: to.mac, mtu: LAN_MTU };
  to.end.take();
  const received = new Map<string, number>();
  const note = (frames: readonly Uint8Array[]) => {
    for (const frame of frames) {
      const hex = frame.toHex();
      received.set(hex, (received.get(hex) ?? 0) + 1);
    }
  };
  const sent = new Map<TrafficId, readonly string[] | "refused">();
  for (const traffic of keys(TRAFFIC)) {
    const frames = TRAFFIC[traffic].frames(path);
    try {
      for (let at = 0; at < frames.length; at += BATCH) {
        for (const frame of frames.slice(at, at + BATCH)) from.end.send(frame);
        note(await passSentinel(from, to));
      }
      sent.set(traffic, frames.map((frame) => frame.toHex()));
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== EMSGSIZE) throw error;
      sent.set(traffic, "refused");
    }
  }
  for (let turn = 0; turn < SENTINELS; turn++) note(await passSentinel(from, to));
  return Object.fromEntries(
    [...sent].map(([traffic, frames]) => [
      traffic,
      frames === "refused"
        ? "refused"
        : frames.every((frame) => received.get(frame) === 1)
        ? "works"
        : "lost",
    ]),
  ) as Results;
}

/** Everything that comes up to a frame that always does. */
async function passSentinel(from: Speaker, to: Speaker): Promise<Uint8Array[]> {
  const { frame } = sentinel(from.mac);
  const last = frame.toHex();
  const hasIt = (frames: readonly Uint8Array[]) => frames.some((one) => one.toHex() === last);
  from.end.send(frame);
  const frames = await to.end.takeUntil(hasIt, 10_000);
  if (hasIt(frames)) return frames;
  throw new Error(`Not even a broadcast from ${from.mac} to ${to.mac} came within ten seconds`);
}

/** What became of every cell; one that is not as `expected` gets a second chance, then it counts. */
export async function measureAll(
  stage: CompatibilityStage,
  expected: (cell: Cell) => Outcome,
): Promise<(cell: Cell) => Outcome | undefined> {
  const found = new Map<string, Outcome>();
  for (const path of keys(PATHS)) {
    for (const subject of keys(SUBJECTS)) {
      for (let attempt = 0; attempt < 2; attempt++) {
        const outcomes = await measure(stage, subject, path);
        for (const [traffic, outcome] of outcomes) {
          const cell = { subject, traffic, path };
          if (found.get(keyOf(cell)) !== expected(cell)) found.set(keyOf(cell), outcome);
        }
        if (
          [...outcomes].every(([traffic, outcome]) => {
            return outcome === expected({ subject, traffic, path });
          })
        ) break;
      }
    }
  }
  return (cell) => found.get(keyOf(cell));
}

function keyOf({ subject, traffic, path }: Cell): string {
  return `${subject} ${traffic} ${path}`;
}
