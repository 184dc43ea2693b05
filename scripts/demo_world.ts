/**
 * The world of the demo: workers and workloads, each a network namespace of this machine, and the
 * network between the workers. No word of k8slan in here: this is what it finds, not what it makes.
 */

import type { Shell } from "./demo_shell.ts";

/** Everything the demo makes is named like this or lies in here; it touches nothing else. */
export const PREFIX = "k8slan-demo-";
export const RUN_DIR = "/run/k8slan-demo";

export interface Worker {
  readonly name: string;
  /** Its device on the network between the workers. */
  readonly device: string;
}

export interface Workload {
  readonly name: string;
  /** Where it runs. */
  readonly worker: string;
  /** The spoke it takes; without one it shares the LAN through a veth pair. */
  readonly spoke?: string;
  readonly address: string;
}

/** As in demo_lan.yaml. The last device stands for a VLAN of eth0; here it is an ordinary link. */
export const WORKERS: readonly Worker[] = [
  { name: "worker1", device: "eth1" },
  { name: "worker2", device: "eth2" },
  { name: "worker3", device: "eth0.10" },
];

export const WORKLOADS: readonly Workload[] = [
  { name: "pod1", worker: "worker1", spoke: "pod1", address: "10.222.0.1" },
  { name: "pod2", worker: "worker2", spoke: "pod2", address: "10.222.0.2" },
  { name: "pod3", worker: "worker3", spoke: "pod3", address: "10.222.0.3" },
  { name: "web", worker: "worker2", address: "10.222.0.4" },
];

/** The interface that each workload gets. */
export const IFNAME = "net1";

/** The switch between the workers. */
const UNDERLAY = "underlay";
/** What it carries. Bytes. */
export const UNDERLAY_MTU = 1500;

/** The name `ip netns` knows the namespace of a worker or workload by. */
export function netnsName(name: string): string {
  return `${PREFIX}${name}`;
}

export function netnsPath(name: string): string {
  return `/run/netns/${netnsName(name)}`;
}

/** The command that runs `args` in the namespace at `path`. */
export function inNetns(path: string, ...args: readonly string[]): string[] {
  return ["nsenter", `--net=${path}`, "--", ...args];
}

/** `ip` in the namespace of a worker or workload. */
function ipIn(name: string, words: string): string[] {
  return ["ip", "-n", netnsName(name), ...words.split(" ")];
}

/** Makes the workers and a bridge between them, which has a namespace of its own. */
export async function makeWorkers(shell: Shell): Promise<void> {
  await shell.run(["ip", "netns", "add", netnsName(UNDERLAY)]);
  // Snooping without a querier would drop the multicast that VXLANs live on.
  await shell.run(ipIn(UNDERLAY, "link add underlay up type bridge mcast_snooping 0"));
  await requireKinds(shell);
  for (const { name, device } of WORKERS) {
    await addNetns(shell, name);
    // Duplicate address detection would take two seconds, and there are no duplicates.
    const sysctl = "/proc/sys/net/ipv6/conf/default/accept_dad";
    await shell.try(inNetns(netnsPath(name), "sh", "-c", `echo 0 >${sysctl}`));
    const peer = `type veth peer name ${name} netns ${netnsName(UNDERLAY)}`;
    await shell.run(ipIn(name, `link add ${device} mtu ${UNDERLAY_MTU} ${peer}`));
    await shell.run(ipIn(UNDERLAY, `link set dev ${name} master underlay up`));
    await shell.run(ipIn(name, `link set dev ${device} up`));
  }
  for (const { name, device } of WORKERS) {
    const list = ipIn(name, `-6 -j addr show dev ${device} scope link -tentative`);
    await shell.until(`${device} of ${name} has an IPv6 address (is IPv6 on?)`, async () => {
      const [link] = JSON.parse(await shell.run(list));
      return link?.addr_info?.length > 0;
    });
  }
}

/** Makes the network namespaces that a container runtime would make for its pods. */
export async function makeWorkloads(shell: Shell): Promise<void> {
  for (const { name } of WORKLOADS) await addNetns(shell, name);
}

async function addNetns(shell: Shell, name: string): Promise<void> {
  await shell.run(["ip", "netns", "add", netnsName(name)]);
  await shell.run(ipIn(name, "link set dev lo up"));
}

/** No workload ever has this index, k8slan's own bridge has it. */
const PROBE_INDEX = 2 ** 20;

/** Says early, and in clear words, what this machine cannot do. */
async function requireKinds(shell: Shell): Promise<void> {
  const kinds = {
    vxlan: "link add probe type vxlan id 1 dstport 4789",
    macvtap: `link add link underlay name probe index ${PROBE_INDEX} type macvtap`,
  };
  for (const [kind, words] of Object.entries(kinds)) {
    const { code, stderr } = await shell.try(ipIn(UNDERLAY, words));
    if (code !== 0) {
      throw new Error(
        `This kernel makes no ${kind} (${stderr.trim()}); on Debian install linux-image-amd64 or ` +
          `linux-image-arm64, on Ubuntu linux-modules-extra-${Deno.osRelease()}, or use a VM`,
      );
    }
    const tap = kind !== "macvtap" || await exists(`/dev/tap${PROBE_INDEX}`);
    await shell.run(ipIn(UNDERLAY, "link del probe"));
    if (!tap) {
      throw new Error(
        "The kernel's devices do not appear in /dev, which is how it is in many containers; use a " +
          "VM, or a container that has the machine's own /dev",
      );
    }
  }
}

export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
