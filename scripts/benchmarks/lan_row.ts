/** Row "lan": one LAN with four spokes and macvtaps, made by us, by a Go program and by `ip`. */

import type { Underlay } from "../../src/plan/wanted.ts";
import type { Lab, LabNode } from "../../tests/support/netns_lab.ts";
import { type Bench, pause } from "./bench.ts";
import type { Finding } from "./finding.ts";
import { ipNetnsScript, ipScript } from "./ip_script.ts";
import { LineProcess } from "./line_process.ts";
import { snapshot } from "./snapshot.ts";
import { median } from "./stats.ts";
import { benchLan, plainLan } from "./topology.ts";

const SPOKES = 4;
/** The kernel goes on for some 20 ms after a namespace has lost its last user, and does not say when it is done. */
const CLEANUP_MS = 60;
const WARM_UPS = 5;

type What = "lan" | "netns";
type Maker = (what: What) => Promise<number>;

const OURS = "ours";
const IP = "`ip -batch`";
const GO = "Go netlink library";
const GO_ONE_QUEUE = `${GO}, asked for one queue too`;

export function lanRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 1 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const node = lab.node("worker1");
  const targets: string[] = [];
  for (let at = 1; at <= SPOKES; at++) targets.push(await lab.addNetns(`pod${at}`));
  const wanted = benchLan(node, await underlayOf(node), targets);
  const plain = plainLan(wanted);

  await using worker = new LineProcess(node.netns, bench.worker(node.dir));
  const go = await bench.goProgram();
  await using goProcess = go === undefined ? undefined : new LineProcess(node.netns, [go]);
  const makers: [string, Maker][] = [
    [OURS, (what) => worker.ask({ do: what, wanted })],
    [IP, (what) => {
      const script = what === "lan" ? ipScript(plain) : ipNetnsScript(plain);
      return worker.ask({ do: "script", script });
    }],
  ];
  if (goProcess !== undefined) {
    const ask = (what: string) => goProcess.ask({ do: what, lan: plain });
    makers.push([GO, ask], [GO_ONE_QUEUE, (what) => ask(what === "lan" ? "lan1" : what)]);
  }
  const clear = async () => {
    await worker.ask({ do: "clear", wanted });
    await pause(CLEANUP_MS);
  };

  await requireSame(makers, () => snapshot(node, wanted), clear);
  const repetitions = bench.quick ? 10 : 40;
  const times = {
    lan: await interleave("lan", makers, repetitions, clear),
    netns: await interleave("netns", makers, repetitions, clear),
  };
  const finding = (what: string, kind: What, name: string): Finding[] => {
    const theirs = times[kind].get(name);
    if (theirs === undefined) return [];
    return [{
      ...{ what, unit: "ms", ours: median(times[kind].get(OURS)!) },
      other: { name, value: median(theirs) },
      ...(kind === "lan" && name === GO ? { budget: { mostOfOther: 1 } } : {}),
    }];
  };
  return [
    ...finding("One LAN, 4 spokes, 4 macvtaps, in process", "lan", GO),
    ...finding("One LAN, 4 spokes, 4 macvtaps, in process", "lan", GO_ONE_QUEUE),
    ...finding("One LAN, 4 spokes, 4 macvtaps", "lan", IP),
    ...finding("… of which the LAN's namespace", "netns", GO),
    ...finding("… of which the LAN's namespace", "netns", IP),
  ];
}

/** The node's link to the others. */
async function underlayOf(node: LabNode): Promise<Underlay> {
  const link = (await node.links()).find(({ ifname }) => ifname === "eth1");
  if (link === undefined) throw new Error(`Node "${node.name}" has no eth1`);
  const { ifname: name, ifindex: index, mtu } = link;
  return { name, index, mtu, up: true, running: true, ipv6: "usable", addresses: [] };
}

/** All of them must leave the kernel in the very same state, or the comparison means nothing. */
async function requireSame(
  makers: readonly [string, Maker][],
  look: () => Promise<string>,
  clear: () => Promise<void>,
): Promise<void> {
  let expected: string[] | undefined;
  for (const [name, make] of makers) {
    await make("lan");
    const found = (await look()).split("\n");
    await clear();
    expected ??= found;
    const at = expected.findIndex((fact, index) => fact !== found[index]);
    if (at < 0) continue;
    throw new Error(`"${name}" makes something else:\n${found[at]}\nand not\n${expected[at]}`);
  }
}

async function interleave(
  what: What,
  makers: readonly [string, Maker][],
  repetitions: number,
  clear: () => Promise<void>,
): Promise<ReadonlyMap<string, number[]>> {
  const times = new Map<string, number[]>(makers.map(([name]) => [name, []]));
  for (let turn = -WARM_UPS; turn < repetitions; turn++) {
    for (const [name, make] of makers) {
      const ms = await make(what);
      if (turn >= 0) times.get(name)!.push(ms);
      await clear();
    }
  }
  return times;
}
