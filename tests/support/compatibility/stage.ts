/** A LAN with one of each kind of workload on a node, and whom they talk to there and elsewhere. */

import { formatMac } from "../../../src/base/mac.ts";
import { type AgentLab, createAgentLab, type Workload } from "../agent_lab.ts";
import { FrameSocket } from "../raw_frames.ts";
import { quietWorkload } from "../stations.ts";
import { TapQueue } from "../tap_device.ts";
import { keys, LAN_MTU, type PathId, type SubjectId, SUBJECTS, UNDERLAY_MTU } from "./matrix.ts";

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
  readonly #lans: Readonly<Record<Underlay, Stations>>;

  private constructor(
    lab: AgentLab,
    stack: DisposableStack,
    lans: Readonly<Record<Underlay, Stations>>,
  ) {
    this.#lab = lab;
    this.#stack = stack;
    this.#lans = lans;
  }

  static async prepare(): Promise<CompatibilityStage> {
    const lab = await createAgentLab({ nodes: 2, mtu: UNDERLAY_MTU, peers: true });
    const stack = new DisposableStack();
    try {
      const multicast = await addLan(lab, stack, "multicast", 7);
      const unicast = await addLan(lab, stack, "unicast", 8);
      return new CompatibilityStage(lab, stack, { multicast, unicast });
    } catch (error) {
      stack.dispose();
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Who tries it, and whom it talks to. */
  ends(subject: SubjectId, path: PathId): readonly [Speaker, Speaker] {
    const { subjects, near, far } = this.#lans[path === "near" ? "multicast" : path];
    return [subjects[subject], path === "near" ? near : far];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stack.dispose();
    await this.#lab[Symbol.asyncDispose]();
  }
}

type Underlay = Exclude<PathId, "near">;

/** On one LAN: a subject of each kind and a partner on the first node, and a partner on the second. */
interface Stations {
  readonly subjects: Readonly<Record<SubjectId, Speaker>>;
  readonly near: Speaker;
  readonly far: Speaker;
}

async function addLan(
  lab: AgentLab,
  stack: DisposableStack,
  underlay: Underlay,
  vni: number,
): Promise<Stations> {
  await lab.putLan({
    metadata: { name: underlay },
    spec: {
      ...{ ns: underlay, bridge: "br0", vxlan: "vx0", vni, defaultVxlanDev: "eth1", underlay },
      spokes: keys(SUBJECTS).map((subject) => spokeOf(subject, underlay)),
    },
  });
  const partner = async (node: string) =>
    stack.use(
      await addPod(lab, node, `${underlay}-${node}`, {
        lan: `default/${underlay}`,
        attach: "veth",
      }),
    );
  const subject = async (id: SubjectId) => stack.use(await addSubject(lab, id, underlay));
  return {
    subjects: {
      tapPod: await subject("tapPod"),
      tapVm: await subject("tapVm"),
      vethPod: await subject("vethPod"),
      vethVm: await subject("vethVm"),
    },
    near: await partner("worker1"),
    far: await partner("worker2"),
  };
}

function spokeOf(subject: SubjectId, underlay: Underlay): string {
  return `${subject.toLowerCase()}-${underlay.slice(0, 3)}`;
}

async function addSubject(lab: AgentLab, id: SubjectId, underlay: Underlay): Promise<Speaker> {
  const spoke = spokeOf(id, underlay);
  const config = { lan: `default/${underlay}`, spoke, attach: SUBJECTS[id].attach };
  if (id === "tapPod" || id === "vethPod") return await addPod(lab, "worker1", spoke, config);
  const workload = await quietWorkload(lab, spoke);
  const { mac, tap } = await lab.node("worker1").attach(workload, config);
  return speaker(tap === undefined ? await bridgeToTap(workload) : new TapQueue(tap), mac);
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
