/** Row "cni": the plugin as a process, from its start to its exit, as a container runtime waits for it. */

import { AGENT_SOCKET_ENV } from "../../src/api/names.ts";
import { netConf } from "../../tests/support/agent_lab.ts";
import type { Lab } from "../../tests/support/netns_lab.ts";
import {
  attachmentsOf,
  BenchAgent,
  type BenchAttachment,
  delRequest,
  numberedLan,
} from "./bench_agent.ts";
import { type Bench, EXECUTABLE, pause } from "./bench.ts";
import type { Finding } from "./finding.ts";
import { peakMemoryMb, ProcessMeter, type ProcessOptions } from "./process_meter.ts";
import { median } from "./stats.ts";

const PARALLEL = 8;
const WARM_UPS = 3;
/** The kernel and the agent end what the last call left to them. */
const GAP_MS = 60;
const BUDGET_MS = 35;
const BUDGET_MB = 40;
const BARE = "bare deno";
/** The flags of the launcher of dist/k8slan. */
const BARE_FLAGS = ["--no-config", "--no-lock", "--cached-only", "--no-prompt", "-A"];

export function cniRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withLab({ nodes: 1 }, (lab) => measure(bench, lab));
}

async function measure(bench: Bench, lab: Lab): Promise<readonly Finding[]> {
  const node = lab.node("worker1");
  const agent = new BenchAgent(node);
  const lan = numberedLan(node, 1, PARALLEL + 1);
  await agent.putLans("lan.yaml", [lan]);
  await agent.start();
  const [anchor, ...others] = attachmentsOf(lan, await lab.addNetns("pod1"));
  if (anchor === undefined) throw new Error("The LAN has no spoke");
  using meter = new ProcessMeter();
  const empty = `${lab.dir}/empty.js`;
  await Deno.writeTextFile(empty, "");
  const cni = (command: string, of: BenchAttachment): Program => ({
    args: [EXECUTABLE],
    options: cniOptions(command, of, agent, lab.dir),
  });
  const time = async ({ args, options }: Program) => {
    const { code, ms } = await meter.run(args, options);
    if (code !== 0) throw new Error(`A measured process ended with ${code}`);
    return ms;
  };

  await time(cni("ADD", anchor)); // so that the LAN is there
  const programs: readonly Program[] = [
    { args: [Deno.execPath(), "run", ...BARE_FLAGS, empty], options: {} },
    cni("VERSION", anchor),
    cni("ADD", others[0]!),
  ];
  const repeat = async (count: number, measure: (program: Program) => Promise<number>) => {
    const samples: number[][] = programs.map(() => []);
    for (let turn = -WARM_UPS; turn < count; turn++) {
      for (const [at, program] of programs.entries()) {
        const sample = await measure(program);
        if (turn >= 0) samples[at]!.push(sample);
      }
      await agent.ask(delRequest(others[0]!));
      await pause(GAP_MS);
    }
    return samples.map(median);
  };
  const ms = await repeat(bench.quick ? 8 : 40, time);
  const mb = await repeat(
    bench.quick ? 3 : 10,
    ({ args, options }) => peakMemoryMb(args, options),
  );

  const together: number[] = [];
  for (let turn = 0; turn < (bench.quick ? 3 : 15); turn++) {
    const started = performance.now();
    await Promise.all(others.map((other) => time(cni("ADD", other))));
    together.push(performance.now() - started);
    for (const other of others) await agent.ask(delRequest(other));
    await pause(GAP_MS);
  }
  const [bareMs = 0, versionMs = 0, addMs = 0] = ms;
  const [bareMb = 0, versionMb = 0, addMb = 0] = mb;
  return [
    processTime("CNI process, VERSION", versionMs, bareMs),
    processTime("CNI process, ADD, LAN there", addMs, bareMs),
    processMemory("CNI process, VERSION", versionMb, bareMb),
    processMemory("CNI process, ADD, LAN there", addMb, bareMb),
    {
      what: `CNI, ${PARALLEL} ADDs at once, until the last has ended`,
      ...{ unit: "ms", ours: median(together) },
      other: { name: `${PARALLEL} single ones`, value: PARALLEL * addMs },
    },
  ];
}

interface Program {
  readonly args: readonly string[];
  readonly options: ProcessOptions;
}

/** What a container runtime gives the plugin; the configuration goes to a file in `dir`. */
function cniOptions(
  command: string,
  of: BenchAttachment,
  agent: BenchAgent,
  dir: string,
): ProcessOptions {
  const { containerId, ifname, netns } = delRequest(of);
  const stdin = `${dir}/${of.spoke}.json`;
  const config = netConf({ lan: of.lan, spoke: of.spoke, attach: "macvtap" });
  Deno.writeTextFileSync(stdin, JSON.stringify(config));
  return {
    stdin,
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: ifname,
      CNI_PATH: "/opt/cni/bin",
      [AGENT_SOCKET_ENV]: agent.socket,
    },
  };
}

function processTime(what: string, ours: number, bare: number): Finding {
  return {
    ...{ what: `${what}: start to exit`, unit: "ms", ours },
    ...{ other: { name: BARE, value: bare }, budget: { most: BUDGET_MS } },
  };
}

function processMemory(what: string, ours: number, bare: number): Finding {
  return {
    ...{ what: `${what}: most memory`, unit: "MB", ours },
    ...{ other: { name: BARE, value: bare }, budget: { most: BUDGET_MB } },
  };
}
