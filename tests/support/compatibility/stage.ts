/** A LAN with one of each kind of workload on a node, and whom they talk to there and elsewhere. */

import { formatMac } from "../../../src/base/mac.ts";
import { type AgentLab, createAgentLab, type Workload } from "../agent_lab.ts";
import { FrameSocket } from "../raw_frames.ts";
import { TapQueue } from "../tap_device.ts";
import { keys, type PathId, type SubjectId, SUBJECTS } from "./matrix.ts";

/** Leaves room for jumbo frames between workloads. Bytes. */
const UNDERLAY_MTU = 9000;
/** Less VXLAN over IPv6, and one VLAN tag. Bytes. */
export const LAN_MTU = UNDERLAY_MTU - 74;

/** Where frames are sent and received. */
export interface End extends Disposable {
  send(frame: Uint8Array<ArrayBuffer>): void;
  take(): Uint8Array[];
  takeUntil(
    enough: (frames: readonly Uint8Array[]) => boolean,
    timeout?: number,
  ): Promise<Uint8Array[]>;
}

export interface Speaker extends Disposable {
  readonly end: End;
  readonly mac: string;
}

export class CompatibilityStage implements AsyncDisposable {
  readonly #lab: AgentLab;
  readonly #stack: DisposableStack;
  readonly subjects: Readonly<Record<SubjectId, Speaker>>;
  /** Whom the subjects talk to. */
  readonly partners: Readonly<Record<PathId, Speaker>>;

  private constructor(
    lab: AgentLab,
    stack: DisposableStack,
    subjects: Readonly<Record<SubjectId, Speaker>>,
    partners: Readonly<Record<PathId, Speaker>>,
  ) {
    this.#lab = lab;
    this.#stack = stack;
    this.subjects = subjects;
    this.partners = partners;
  }

  static async prepare(): Promise<CompatibilityStage> {
    const lab = await createAgentLab({ nodes: 2, mtu: UNDERLAY_MTU });
    const stack = new DisposableStack();
    try {
      await lab.putLan({
        metadata: { name: "all" },
        spec: {
          ...{ ns: "all", bridge: "br0", vxlan: "vx0", vni: 7, defaultVxlanDev: "eth1" },
          spokes: keys(SUBJECTS).map((subject) => subject.toLowerCase()),
        },
      });
      const speakers = await Promise.all(
        keys(SUBJECTS).map((subject) => addSubject(lab, subject)),
      );
      const [tapPod, tapVm, vethPod, vethVm] = speakers.map((speaker) => stack.use(speaker));
      const near = stack.use(await addPartner(lab, "worker1"));
      const multicast = stack.use(await addPartner(lab, "worker2"));
      if (!tapPod || !tapVm || !vethPod || !vethVm) throw new Error("A subject is missing");
      const subjects = { tapPod, tapVm, vethPod, vethVm };
      return new CompatibilityStage(lab, stack, subjects, { near, multicast });
    } catch (error) {
      stack.dispose();
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stack.dispose();
    await this.#lab[Symbol.asyncDispose]();
  }
}

function addPartner(lab: AgentLab, node: string): Promise<Speaker> {
  return addPod(lab, node, `partner-${node}`, { lan: "default/all", attach: "veth" });
}

async function addSubject(lab: AgentLab, id: SubjectId): Promise<Speaker> {
  const config = { lan: "default/all", spoke: id.toLowerCase(), attach: SUBJECTS[id].attach };
  switch (id) {
    case "tapPod":
    case "vethPod":
      return await addPod(lab, "worker1", id, config);
    case "tapVm": {
      const workload = await quietWorkload(lab, id);
      const { mac, tap } = await lab.node("worker1").attach(workload, config);
      return speaker(new TapQueue(tap!), mac);
    }
    case "vethVm": {
      const workload = await quietWorkload(lab, id);
      const { mac } = await lab.node("worker1").attach(workload, config);
      return speaker(await bridgeToTap(workload), mac);
    }
  }
}

async function addPod(
  lab: AgentLab,
  node: string,
  name: string,
  config: Readonly<Record<string, unknown>>,
): Promise<Speaker> {
  const workload = await quietWorkload(lab, name);
  const { mac } = await lab.node(node).attach(workload, config);
  return speaker(new FrameSocket(workload.netns, "net1"), mac);
}

/** One whose own network stack says nothing. */
async function quietWorkload(lab: AgentLab, name: string): Promise<Workload> {
  const workload = await lab.addWorkload(name);
  await workload.run(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
  return workload;
}

/**
 * What KubeVirt's bindings `bridge` and `managedTap` come down to: a bridge as the kernel makes it
 * between the pod's interface and a tap. The interface gives its address to the guest.
 */
async function bridgeToTap(workload: Workload): Promise<TapQueue> {
  const queue = new TapQueue("/dev/net/tun", {
    tun: { netns: workload.netns, ifname: "tap0" },
  });
  const other = formatMac(Uint8Array.of(2, 0x99, ...crypto.getRandomValues(new Uint8Array(4))));
  try {
    await workload.run([
      "sh",
      "-euc",
      [
        "ip link add k6t-net1 type bridge",
        `ip link set net1 down; ip link set net1 address ${other} master k6t-net1 up`,
        `ip link set tap0 mtu ${LAN_MTU} master k6t-net1 up`,
        "ip link set k6t-net1 up",
      ].join("\n"),
    ]);
    return queue;
  } catch (error) {
    queue[Symbol.dispose]();
    throw error;
  }
}

function speaker(end: End, mac: string): Speaker {
  return { end, mac, [Symbol.dispose]: () => end[Symbol.dispose]() };
}
