/** A VM of KubeVirt on a cluster without it: pods play the parts of those that it makes for one. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { HandOver, type HandOverReport, rarp } from "./hand_over.ts";
import type { Product } from "./product.ts";
import type { ProductNode } from "./product_node.ts";
import { lanObject, podObject } from "./product_objects.ts";
import { FrameSocket } from "./raw_frames.ts";
import { until } from "./until.ts";
import { launcherMeta, VMI_API_VERSION, VMI_CRD_NAME, VMI_KIND, vmiCrd } from "./vmi_crd.ts";

const RUNNING = { timeout: 60_000 };
/** Attached beside the VM: a pod on each node. */
const NEIGHBOURS = 2;

interface Launcher {
  readonly name: string;
  readonly node: ProductNode;
}

export class MovingVm implements AsyncDisposable {
  /** Names of the LAN and of the VM's spoke. */
  static readonly LAN = "moving";
  static readonly SPOKE = "vm";

  readonly #product: Product;
  readonly #vmi: { readonly name: string; readonly uid: string };
  readonly #nodes: readonly [ProductNode, ProductNode];
  /** The one that the VM runs in, and before a hand-over the one that it goes to. */
  #launchers: readonly Launcher[] = [];
  #made = 0;

  private constructor(
    product: Product,
    vmi: { readonly name: string; readonly uid: string },
    nodes: readonly [ProductNode, ProductNode],
  ) {
    this.#product = product;
    this.#vmi = vmi;
    this.#nodes = nodes;
  }

  /** On the first node, with another workload of its LAN on each. */
  static async start(product: Product): Promise<MovingVm> {
    const { cluster, nodes: [one, two] } = product;
    if (one === undefined || two === undefined) throw new Error("A VM needs two nodes to move");
    const { LAN, SPOKE } = MovingVm;
    await cluster.apply(lanObject(LAN, { vni: 91, spokes: [SPOKE, "near", "far"] }));
    await product.untilAllocatable([SPOKE, "near", "far"]);
    const vm = new MovingVm(product, await makeVmi(product), [one, two]);
    try {
      await cluster.apply([
        podObject("near", { node: one.node, networks: "near", spokes: ["near"] }),
        podObject("far", { node: two.node, networks: "far", spokes: ["far"] }),
        vm.#object(vm.#nextName(), { "kubernetes.io/hostname": one.name }),
      ]);
      for (const pod of ["near", "far", "launcher-1"]) await product.untilRunning(pod);
      vm.#launchers = [{ name: "launcher-1", node: one }];
      return vm;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Names of the VM's pods, the one that it runs in first. */
  get launchers(): readonly string[] {
    return this.#launchers.map(({ name }) => name);
  }

  /** Makes the pod that the VM goes to, and waits until it runs, on the other node. */
  async next(): Promise<ProductNode> {
    const others = this.#nodes.filter((node) => node !== this.#launchers[0]?.node);
    // What the scheduler knows of devices is up to a second old: kubelet would reject the pod.
    await until("no other node gives the device", async () => {
      const lists = await Promise.all(others.map((node) => node.allocatable()));
      return !lists.flat().includes(MovingVm.SPOKE);
    }, { timeout: 20_000, interval: 100 });
    const name = this.#nextName();
    // No node is named: only the device says where it may run.
    await this.#product.cluster.apply(this.#object(name));
    await this.#product.untilRunning(name, RUNNING);
    const at = (await this.#product.pod(name))?.spec.nodeName;
    const node = this.#nodes.find((node) => node.name === at);
    if (node === undefined) throw new Error(`Pod "${name}" runs on ${at}`);
    this.#launchers = [...this.#launchers, { name, node }];
    return node;
  }

  /**
   * Lets the VM go on in its next pod, and takes the former one away. Somebody on the node that it
   * comes to sends to it all the while. With the time of a plain round trip, in milliseconds.
   */
  async handOver(how: "announced" | "silent"): Promise<HandOverReport & { roundTrip: number }> {
    const [from, to] = this.#launchers;
    if (from === undefined || to === undefined) throw new Error("The VM has no next pod");
    const other = { name: to.node === this.#nodes[0] ? "near" : "far", node: to.node };
    using source = await wireOf(from);
    using target = await wireOf(to);
    using sender = await wireOf(other);
    const mac = await this.#macOf(from);
    strictEqual(await this.#macOf(to), mac);
    const stream = () => new HandOver({ sender, source, target, mac });
    // The VM has said something once: all tables lead to it.
    source.send(rarp(mac));
    deepStrictEqual(await stream().probe(), { source: 20, target: 0 });
    const roundTrip = stream().roundTrip();
    const remove = async () => {
      await this.#product.cluster.kubectl(["delete", "pod", from.name, "--wait"]);
    };
    const report = how === "announced" ? stream().announced() : await stream().silent(remove);
    if (how === "announced") await remove();
    this.#launchers = [to];
    deepStrictEqual((await stream().probe()).target, 20);
    await until("the migration is over", async () => {
      const { status } = await this.#product.lan(MovingVm.LAN);
      return status?.attached === NEIGHBOURS + 1 && status.migrations === undefined;
    });
    return { ...report, roundTrip };
  }

  async #macOf({ name }: Launcher): Promise<string> {
    const path = "/sys/class/net/net1/address";
    return (await this.#product.exec(name, ["cat", path])).trim();
  }

  #nextName(): string {
    return `launcher-${++this.#made}`;
  }

  /** All but the first are made for a migration. */
  #object(name: string, nodeSelector: Readonly<Record<string, string>> = {}) {
    const { SPOKE } = MovingVm;
    const pod = podObject(name, { networks: SPOKE, spokes: [SPOKE] });
    const job = this.#made === 1 ? undefined : `job-${this.#made}`;
    const { labels, ownerReferences } = launcherMeta(this.#vmi, job);
    return {
      ...pod,
      metadata: {
        ...{ ...pod.metadata, ownerReferences },
        labels: { ...pod.metadata.labels, ...labels },
      },
      spec: { ...pod.spec, nodeSelector },
    };
  }

  /** The VMI goes with its kind, and the pods with their owner. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#product.cluster.kubectl(["delete", "crd", VMI_CRD_NAME, "--ignore-not-found"]);
  }
}

async function makeVmi({ cluster }: Product) {
  await cluster.apply(vmiCrd());
  await cluster.kubectl(["wait", "--for=condition=Established", `crd/${VMI_CRD_NAME}`]);
  const name = "guest";
  const metadata = { name, namespace: "default" };
  await until("the kind is served", async () => {
    await cluster.apply({ apiVersion: VMI_API_VERSION, kind: VMI_KIND, metadata });
    return true;
  }, { timeout: 20_000 });
  const uid = await cluster.kubectl(["get", VMI_KIND, name, "-o=jsonpath={.metadata.uid}"]);
  return { name, uid };
}

async function wireOf({ name, node }: Launcher): Promise<FrameSocket> {
  const { netns, ifname } = await node.end(name);
  return new FrameSocket(netns, ifname);
}
