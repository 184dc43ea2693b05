/** Workloads on a LAN that a test speaks for, frame by frame. */

import type { AgentLab, Workload } from "./agent_lab.ts";
import { allCame, type MarkedFrame, sentinel } from "./frame_kinds.ts";
import { FrameSocket } from "./raw_frames.ts";
import { until } from "./until.ts";

/** A workload on a LAN, and its end of the wire. */
export class Station implements Disposable {
  readonly workload: Workload;
  readonly mac: string;
  readonly wire: FrameSocket;

  constructor(workload: Workload, mac: string) {
    this.workload = workload;
    this.mac = mac;
    this.wire = new FrameSocket(workload.netns, "net1");
  }

  [Symbol.dispose](): void {
    this.wire[Symbol.dispose]();
  }
}

/** Makes a workload and attaches it as `net1`. */
export async function attachStation(
  lab: AgentLab,
  node: string,
  name: string,
  config: Readonly<Record<string, unknown>>,
): Promise<Station> {
  const workload = await lab.addWorkload(name);
  const { mac } = await lab.node(node).attach(workload, config);
  return new Station(workload, mac);
}

/** A workload whose own network stack says nothing. */
export async function quietWorkload(lab: AgentLab, name: string): Promise<Workload> {
  const workload = await lab.addWorkload(name);
  await workload.run(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
  return workload;
}

/** Sends `frames` at one end, and takes at the other until all of them have come, or time is over. */
export async function pass(
  from: FrameSocket,
  to: FrameSocket,
  frames: readonly MarkedFrame[],
  timeout = 10_000,
): Promise<Uint8Array[]> {
  for (const { frame } of frames) from.send(frame);
  return await to.takeUntil((received) => allCame(frames, received), timeout);
}

/** Waits until frames from `mac` at one station get to another: a port passes them a little after it is up. */
export async function untilHeard(from: Station, to: Station, mac = from.mac): Promise<void> {
  await until(`${from.workload.name} reaches ${to.workload.name}`, async () => {
    const frame = sentinel(mac);
    return allCame([frame], await pass(from.wire, to.wire, [frame], 500));
  }, { timeout: 20_000 });
}

/** Waits until each of the stations hears each other. */
export async function untilAllHear(stations: readonly Station[]): Promise<void> {
  for (const from of stations) {
    for (const to of stations.filter((station) => station !== from)) await untilHeard(from, to);
  }
  for (const { wire } of stations) wire.take();
}

export function disposeAll(stations: readonly Station[]): Disposable {
  return {
    [Symbol.dispose]() {
      for (const station of stations) station[Symbol.dispose]();
    },
  };
}
