/**
 * The demo, from start to end; scripts/demo starts it and says what it can do.
 *
 * However it ends, what it has made is removed: all of that has unmistakable names
 * (demo_world.ts), by which it is found again even after a crash (demo_cleaning.ts).
 */

import { describe } from "../src/base/errors.ts";
import { showBuilt, showFrames, showPings, showTaps } from "./demo_checks.ts";
import { clean, leftovers } from "./demo_cleaning.ts";
import { lanNamespaces, linksIn, workloadLink } from "./demo_links.ts";
import { columns, command, complain, heading, ok, say, show } from "./demo_print.ts";
import {
  agentCommand,
  attachOrDetach,
  cniEnv,
  EXECUTABLE,
  LANS_DIR,
  logPath,
  netConf,
  runDir,
  startAgent,
  status,
  statusCommand,
} from "./demo_product.ts";
import { Shell } from "./demo_shell.ts";
import {
  exists,
  IFNAME,
  makeWorkers,
  makeWorkloads,
  netnsName,
  netnsPath,
  WORKERS,
  WORKLOADS,
} from "./demo_world.ts";

const LAN_FILE = new URL("demo_lan.yaml", import.meta.url).pathname;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function main(args: readonly string[]): Promise<number> {
  const keep = args.includes("--keep");
  const onlyClean = args.includes("--clean");
  using _lock = lockDemo();
  const interruption = new AbortController();
  for (const name of SIGNALS) {
    Deno.addSignalListener(name, () => interruption.abort(new Error(`Interrupted by ${name}`)));
  }
  // Cleaning goes on to its end, whatever happens.
  const cleaner = new Shell();
  if ((await leftovers()).length > 0) {
    await clean(cleaner);
    say("Removed what an earlier demo had left.");
  } else if (onlyClean) say("There is nothing of a demo to remove.");
  if (onlyClean) return 0;

  try {
    await tell(new Shell(interruption.signal), keep);
    return 0;
  } catch (error) {
    complain(error instanceof Error ? error.message.trimEnd() : describe(error));
    const { aborted } = interruption.signal;
    if (!aborted) await quoteLogs();
    await clean(cleaner);
    complain("What it had made is removed");
    return aborted ? 130 : 1;
  }
}

/** Two demos at once would remove each other's. The kernel gives the lock up with this process. */
function lockDemo(): Disposable {
  try {
    return Deno.listen({ transport: "unix", path: "\0k8slan-demo" });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new Error("Another demo is running; wait for its end, or end it with Ctrl-C");
  }
}

async function tell(shell: Shell, keep: boolean): Promise<void> {
  // The first start may take its time: it unpacks the executable.
  const version = await shell.run([EXECUTABLE, "version"]);
  say(`${version.trim()} on Linux ${Deno.osRelease()}`);
  await prepareWorkers(shell);
  await describeLan();
  await startAgents(shell);
  await attach(shell);
  await showBuilt(shell);
  await showPings(shell);
  await showFrames(shell);
  const taps = await showTaps(shell);
  if (keep) tellHowToLook();
  else await detach(shell, taps);
}

async function prepareWorkers(shell: Shell): Promise<void> {
  heading("Three workers");
  say(
    "Each stands for a machine and is a network namespace of this one. A switch that carries IPv6",
    "multicast joins them: all that k8slan needs of a network. Each has its own name for its device.",
  );
  await makeWorkers(shell);
  show(columns([
    ["WORKER", "DEVICE", "NAMESPACE"],
    ...WORKERS.map(({ name, device }) => [name, device, netnsName(name)]),
  ]));
}

async function describeLan(): Promise<void> {
  heading("One LAN, described once");
  say("In a cluster this is an object of Kubernetes; here it is a file in the agents' folder.");
  await Deno.mkdir(LANS_DIR, { recursive: true });
  await Deno.copyFile(LAN_FILE, `${LANS_DIR}/lan-test.yaml`);
  command("cat", `${LANS_DIR}/lan-test.yaml`);
  show(await Deno.readTextFile(LAN_FILE));
}

async function startAgents(shell: Shell): Promise<void> {
  heading("An agent on each worker");
  const [first] = WORKERS;
  if (first === undefined) return;
  await Promise.all(WORKERS.map((worker) => startAgent(shell, worker)));
  command(...agentCommand(first));
  say("", "It knows the LAN, but builds nothing before a workload on its worker needs it:");
  command(...statusCommand(first.name));
  show(await status(shell, first.name));
}

async function attach(shell: Shell): Promise<void> {
  heading("Four workloads are attached");
  const [first] = WORKLOADS;
  if (first === undefined) return;
  say(
    "A container runtime does so by CNI: it makes a network namespace and starts dist/k8slan with",
    `this environment and input. This is ${first.name} on ${first.worker}:`,
  );
  await makeWorkloads(shell);
  show(
    Object.entries(cniEnv(first.worker, "ADD", first)).map(([key, value]) => `${key}=${value}`)
      .join("\n"),
  );
  show(
    Object.entries(netConf(first))
      .map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(",\n").replace(/^/, "{\n").concat("\n}"),
  );
  const rows = [["WORKLOAD", "WORKER", "SPOKE", "GETS", "ADDRESS", "MAC", "MTU"]];
  for (const workload of WORKLOADS) {
    await attachOrDetach(shell, "ADD", workload);
    const link = await workloadLink(shell, workload);
    if (link === undefined) throw new Error(`${workload.name} has no ${IFNAME} after CNI ADD`);
    const { name, worker, spoke = "-", address } = workload;
    if (link.addr_info.every(({ local }) => local !== address)) {
      throw new Error(`${IFNAME} of ${name} has no address ${address} after CNI ADD`);
    }
    const { linkinfo, address: mac, mtu } = link;
    rows.push([name, worker, spoke, linkinfo?.info_kind ?? "", address, mac, String(mtu)]);
  }
  say("", `Who names a spoke gets a macvtap, who names none a veth; each as its ${IFNAME}:`);
  show(columns(rows));
}

async function detach(shell: Shell, taps: readonly string[]): Promise<void> {
  heading("All workloads are detached, and nothing is left");
  say("By CNI again, with CNI_COMMAND=DEL. A LAN leaves a worker with its last workload there:");
  for (const workload of WORKLOADS) await attachOrDetach(shell, "DEL", workload);
  const gone = async (what: string, rest: () => Promise<readonly string[]>) => {
    await shell.until(what, async () => (await rest()).length === 0);
    ok(what);
  };
  await gone(`no workload has a ${IFNAME}`, async () => {
    const links = await Promise.all(WORKLOADS.map((workload) => workloadLink(shell, workload)));
    return links.flatMap((link) => link?.ifname ?? []);
  });
  await gone("no worker has a spoke", async () => {
    const links = await Promise.all(WORKERS.map(({ name }) => linksIn(shell, netnsPath(name))));
    const devices = WORKERS.map(({ device }) => device);
    return links.flat().map(({ ifname }) => ifname).filter((name) => !devices.includes(name));
  });
  await gone("no worker has the LAN's namespace, with bridge and VXLAN", async () => {
    return (await Promise.all(WORKERS.map(lanNamespaces))).flat();
  });
  await gone(`no device is left of ${taps.join(", ")}`, async () => {
    const there = await Promise.all(taps.map(exists));
    return taps.filter((_, at) => there[at]);
  });
  await clean(new Shell()); // throws if anything is left
  ok("agents, workers and the switch between them are removed as well");
}

function tellHowToLook(): void {
  heading("All of it stays, for you to look around");
  const inLan = ["nsenter", `--net=${runDir("worker2")}/netns/knlvrf`];
  const commands: Readonly<Record<string, readonly string[]>> = {
    "What a worker has": [...statusCommand("worker2"), "-o", "wide"],
    "The LAN on that worker": [...inLan, "ip", "-d", "link"],
    "Which address it has learned where": [...inLan, "bridge", "fdb", "show", "br", "br2"],
    "The same LAN built by hand": [EXECUTABLE, "plan", "-f", LANS_DIR, "--node", "worker2"],
    "A workload": ["ip", "netns", "exec", netnsName("pod1"), "ping", "10.222.0.3"],
    "What an agent does": ["tail", "-f", logPath("worker2")],
    "Change the LAN; agents see it at once": ["editor", `${LANS_DIR}/lan-test.yaml`],
    "End it all and remove it": ["scripts/demo", "--clean"],
  };
  for (const [what, words] of Object.entries(commands)) {
    say(what);
    command(...words);
  }
}

/** Agents may have said why something failed. */
async function quoteLogs(): Promise<void> {
  for (const { name } of WORKERS) {
    const log = await Deno.readTextFile(logPath(name)).catch(() => "");
    const lines = log.split("\n").filter((line) => /"level":"(warn|error)"/.test(line));
    for (const line of lines.slice(-3)) complain(`${name}'s agent logged: ${line}`);
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    complain(describe(error));
    Deno.exit(1);
  }
}
