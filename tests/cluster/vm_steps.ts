/** A guest in QEMU on a macvtap, in a pod as KubeVirt makes it for a VM. */

import { match, ok, strictEqual } from "node:assert/strict";
import { loadGuestImage } from "../support/guest_image.ts";
import { runProgram } from "../support/lab_process.ts";
import { bytes, ethernet } from "../support/packets.ts";
import type { Product } from "../support/product.ts";
import type { ProductNode } from "../support/product_node.ts";
import { lanObject, podObject } from "../support/product_objects.ts";
import { FrameSocket } from "../support/raw_frames.ts";
import { say } from "../support/say.ts";
import { until } from "../support/until.ts";
import { launcherOf, podLinkName, type VirtualMachine } from "../support/virt_launcher.ts";

const LAN = "vms";
/** As in the VM of the README: its own name for the network. */
const NETWORK = "hostnetwork";
const MAC = "02:00:00:00:08:01";
const GUEST = {
  ...{ ip: "10.8.0.1", ip6: "fd00:8::1", peer: "10.8.0.2" },
  ...{ second_ip: "10.8.1.1", second_mac: "02:00:00:00:08:99" },
};
/** Emulated, and beside other work. */
const BOOT = { timeout: 120_000, interval: 200 };
/** In a row, until it is looked whether the agent is back. */
const FRAMES = 100;
const LINK_LOCAL = [
  { dst: "01:80:c2:00:00:0e", type: 0x88cc }, // LLDP
  { dst: "01:80:c2:00:00:02", type: 0x8809 }, // LACP
];

export const VM_STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "a VM's guest is on the LAN"(product) {
    if (Deno.build.arch !== "x86_64") {
      say(`left out: there is no guest for ${Deno.build.arch}`);
      return;
    }
    const [one, two] = product.nodes;
    ok(one && two);
    await loadGuestImage(product.cluster);
    await product.cluster.apply(lanObject(LAN, { vni: 93, spokes: ["guest1", "far"] }));
    await product.untilCondition(LAN, "Ready", "Ready");
    await product.untilAllocatable(["guest1", "far"]);

    const vm: VirtualMachine = {
      ...{ name: "virt-launcher-guest1", node: one.node, macAddress: MAC, guest: GUEST },
      network: { name: NETWORK, multus: "guest1" },
    };
    await product.cluster.apply([
      await launcherOf(product, vm),
      podObject("far", { node: two.node, networks: "far-veth" }),
    ]);
    await product.untilRunning("far");
    const far = await Station.open(two, "far");
    const log = () => product.cluster.kubectl(["logs", vm.name]);
    const says = async (pattern: RegExp, options = {}) => {
      await until(`the guest says ${pattern}`, async () => pattern.test(await log()), options)
        .catch(async (cause) => {
          throw new Error(`${cause.message}; it says\n${await log().catch(String)}`, { cause });
        });
    };
    await product.untilRunning(vm.name, { timeout: 60_000 });
    const booted = performance.now();
    await says(/GUEST reached 10\.8\.0\.2/, BOOT);
    say(`guest booted and reached the other node after ${seconds(booted)}`);

    // What KubeVirt copies from the link, and what libvirt opens.
    const link = podLinkName(NETWORK);
    const mtu = await product.exec(vm.name, ["cat", `/sys/class/net/${link}/mtu`]);
    await says(new RegExp(`GUEST address ${MAC}`));
    await says(new RegExp(`GUEST mtu ${mtu.trim()}\\s`));
    await says(/GUEST queues 2\s/);

    await far.reaches("10.8.0.1");
    await far.reaches("fd00:8::1");
    await far.reaches("10.8.1.1");
    match(await far.neighbours(), new RegExp(`10\\.8\\.0\\.1 .*${MAC}`));
    match(await far.neighbours(), new RegExp(`10\\.8\\.1\\.1 .*${GUEST.second_mac}`));

    far.sendLinkLocal();
    for (const { dst, type } of LINK_LOCAL) {
      await says(new RegExp(`GUEST got .*${dst}.*0x${type.toString(16)}`));
    }

    await agentDies(one, far);
  },
};

/** Whoever attached the VM is killed, and no frame of the guest is lost. */
async function agentDies(node: ProductNode, far: Station): Promise<void> {
  const before = await node.agentPid();
  let isOver = false;
  await node.killAgent();
  const restarting = node.agentReady({ before }).finally(() => isOver = true);
  restarting.catch(() => {}); // thrown below
  let [sent, answered] = [0, 0];
  do {
    answered += await far.count("10.8.0.1", FRAMES);
    sent += FRAMES;
  } while (!isOver);
  await restarting;
  say(`agent killed meanwhile: ${answered} of ${sent} frames answered by the guest`);
  strictEqual(answered, sent);
}

/** A plain pod of the LAN, with addresses in the guest's subnets. */
class Station {
  readonly #netns: string;
  readonly #ifname: string;

  private constructor(netns: string, ifname: string) {
    this.#netns = netns;
    this.#ifname = ifname;
  }

  static async open(node: ProductNode, pod: string): Promise<Station> {
    const { netns, ifname } = await node.end(pod);
    const station = new Station(netns, ifname);
    await station.#run(["sh", "-c", 'echo 0 >"/proc/sys/net/ipv6/conf/$0/disable_ipv6"', ifname]);
    const add = ["address", "add", "dev", ifname];
    for (const address of [`${GUEST.peer}/24`, "10.8.1.2/24"]) {
      await station.#run(["ip", ...add, address]);
    }
    await station.#run(["ip", "-6", ...add, "fd00:8::2/64", "nodad"]);
    return station;
  }

  async reaches(address: string): Promise<void> {
    await this.#run(["ping", "-c", "3", "-i", "0.2", "-w", "20", address]);
  }

  /** How many of so many frames are answered, 50 a second. */
  async count(address: string, frames: number): Promise<number> {
    // Without -w it would wait for the last answers no longer than twice the longest way so far; with it,
    // more are sent until there are as many answers.
    const text = await this.#run(["ping", "-c", `${frames}`, "-i", "0.02", "-w", "30", address]);
    const numbers = [...text.matchAll(/ bytes from .*icmp_seq=(\d+)/g)].map(([, number]) =>
      Number(number)
    );
    return new Set(numbers.filter((number) => number <= frames)).size;
  }

  neighbours(): Promise<string> {
    return this.#run(["ip", "neighbour", "show"]);
  }

  sendLinkLocal(): void {
    using socket = new FrameSocket(this.#netns, this.#ifname);
    for (const { dst, type } of LINK_LOCAL) {
      socket.send(ethernet({ dst, src: "02:00:00:00:08:02", type }, bytes(new Uint8Array(46))));
    }
  }

  #run(words: readonly string[]): Promise<string> {
    return runProgram(["nsenter", `--net=${this.#netns}`, "--", ...words]);
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}
