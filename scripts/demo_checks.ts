/** The chapters that look at the LAN and try it. Each throws if anything is not as it should be. */

import { type Link, workerRows, workloadLink } from "./demo_links.ts";
import { lldpFrame, LldpSocket } from "./demo_lldp.ts";
import { columns, command, heading, ok, say, show } from "./demo_print.ts";
import { status, statusCommand } from "./demo_product.ts";
import type { Shell } from "./demo_shell.ts";
import {
  IFNAME,
  inNetns,
  netnsName,
  netnsPath,
  UNDERLAY_MTU,
  WORKERS,
  type Workload,
  WORKLOADS,
} from "./demo_world.ts";

/** IPv4 header and ICMP header. Bytes. */
const PING_OVERHEAD = 28;
const JUMBO = 9000;
/** QEMU's user on most distributions, and the agent's default. */
const TAP_OWNER = 107;

export async function showBuilt(shell: Shell): Promise<void> {
  heading("What the agents have built");
  say("Every agent tells what it has:");
  for (const { name } of WORKERS) {
    say("");
    command(...statusCommand(name));
    show(await status(shell, name));
  }
  say("", "The kernel itself, asked with `ip -d address` in each namespace, says the same:", "");
  const rows: string[][] = [];
  for (const worker of WORKERS) rows.push(...await workerRows(shell, worker, WORKLOADS));
  show(columns(rows));
}

/** Every workload pings every other. */
export async function showPings(shell: Shell): Promise<void> {
  heading("Everyone reaches everyone");
  say("Wherever they run, all are neighbours on one Ethernet. Time of a ping in milliseconds:");
  const rows = await Promise.all(WORKLOADS.map(async (from) => {
    const times = WORKLOADS.map((to) => from === to ? "" : ping(shell, from, to));
    return [from.name, ...await Promise.all(times)];
  }));
  show(columns([["from \\ to", ...WORKLOADS.map(({ name }) => name)], ...rows]));
  const pairs = WORKLOADS.length * (WORKLOADS.length - 1);
  ok(`${pairs} of ${pairs} pairs answer, within a worker and between workers`);
}

/** The better time of two, in milliseconds: the first one finds out addresses too. */
async function ping(shell: Shell, from: Workload, to: Workload): Promise<string> {
  // With -w, ping goes on until it has -c answers.
  const words = ["ping", "-n", "-q", "-i", "0.1", "-c", "2", "-w", "5", to.address];
  const { code, stdout, stderr } = await shell.try(inNetns(netnsPath(from.name), ...words));
  const best = /= ([\d.]+)\//.exec(stdout)?.[1];
  if (code === 0 && best !== undefined) return best;
  throw new Error(`${from.name} does not reach ${to.name}: ${stderr}${stdout}`);
}

/** LLDP passes unchanged; what is too large is refused. */
export async function showFrames(shell: Shell): Promise<void> {
  heading("It carries Ethernet, not only IP");
  say(
    "LLDP is how switches greet their neighbours. Ordinary bridges keep it to themselves; network",
    "labs, virtual routers and LACP or 802.1X need frames like that. One greeting from pod1:",
  );
  await showLldp(shell);
  say("", `And a packet of ${JUMBO} bytes that must not be split:`);
  await showTooLarge(shell);
}

async function showLldp(shell: Shell): Promise<void> {
  const [sender, ...receivers] = WORKLOADS;
  if (sender === undefined) return;
  const { address: mac, ifindex } = await requireLink(shell, sender);
  const frame = lldpFrame({ mac, port: IFNAME, name: `${sender.name} of the k8slan demo` });
  show(columns([["to", "from", "type", "content"], splitFrame(frame)]));
  using sockets = new DisposableStack();
  const listening = await Promise.all(receivers.map(async (receiver) => {
    const link = await requireLink(shell, receiver);
    return {
      receiver,
      socket: sockets.use(new LldpSocket(netnsPath(receiver.name), link.ifindex)),
    };
  }));
  sockets.use(new LldpSocket(netnsPath(sender.name), ifindex)).send(frame);
  for (const { receiver: { name, worker }, socket } of listening) {
    const received = socket.receive();
    if (received === undefined) throw new Error(`${name} received no LLDP frame`);
    if (received.toHex() !== frame.toHex()) {
      throw new Error(`${name} received a changed LLDP frame: ${received.toHex()}`);
    }
    ok(`${name} on ${worker} has received it: ${received.length} bytes, none changed`);
  }
}

/** Destination, source, type and content in hexadecimal digits. */
function splitFrame(frame: Uint8Array): string[] {
  return [[0, 6], [6, 12], [12, 14], [14]].map(([from, to]) => frame.slice(from, to).toHex());
}

async function showTooLarge(shell: Shell): Promise<void> {
  const [from, to] = WORKLOADS;
  if (from === undefined || to === undefined) return;
  const pingOf = (bytes: number) => [
    ...["ping", "-n", "-M", "do", "-c", "1", "-w", "2"],
    ...["-s", String(bytes - PING_OVERHEAD), to.address],
  ];
  const words = pingOf(JUMBO);
  command("ip", "netns", "exec", netnsName(from.name), ...words);
  const { code, stdout, stderr } = await shell.try(inNetns(netnsPath(from.name), ...words));
  const message = stderr.split("\n").find((line) => line.includes("too long"));
  if (code === 0 || message === undefined) {
    throw new Error(`A packet of ${JUMBO} bytes was not refused: ${stdout}${stderr}`);
  }
  show(message);
  ok("refused at once, with the size that would do, instead of being lost on the way");
  const { mtu } = await requireLink(shell, from);
  await shell.run(inNetns(netnsPath(from.name), ...pingOf(mtu)));
  ok(
    `${mtu} bytes pass: the ${UNDERLAY_MTU} of the underlay, less 70 for VXLAN over IPv6 and 4 for ` +
      "a VLAN tag within",
  );
}

/** The device nodes of the macvtaps. Returns their paths. */
export async function showTaps(shell: Shell): Promise<readonly string[]> {
  heading("Ready for virtual machines");
  say(
    "Behind each macvtap lies a device that a virtual machine uses as its network card. It belongs",
    `to QEMU's user, ${TAP_OWNER}, and to nobody else:`,
  );
  const rows: string[][] = [];
  for (const workload of WORKLOADS) {
    const { linkinfo, ifindex } = await requireLink(shell, workload);
    if (linkinfo?.info_kind !== "macvtap") continue;
    const path = `/dev/tap${ifindex}`;
    const { uid, gid, isCharDevice } = await Deno.stat(path);
    if (!isCharDevice || uid !== TAP_OWNER) throw new Error(`${path} belongs to user ${uid}`);
    rows.push([path, `${uid}:${gid}`, `${IFNAME} of ${workload.name} on ${workload.worker}`]);
  }
  show(columns(rows));
  return rows.flatMap(([path]) => path ?? []);
}

async function requireLink(shell: Shell, workload: Workload): Promise<Link> {
  const link = await workloadLink(shell, workload);
  if (link === undefined) throw new Error(`${workload.name} has no ${IFNAME}`);
  return link;
}
