/**
 * The product while parts of its cluster fail: pods that nobody touches, a counted stream between
 * them, and a picture of everything to which each step has to lead back.
 *
 *     const stage = await FaultStage.start(product);
 *     await stage.step(t, "the agent is killed", async (stage) => { … });
 */

import { deepStrictEqual, ok } from "node:assert/strict";
import type { NodeView } from "../../src/api/agent_protocol.ts";
import type { ClusterNode } from "./cluster_node.ts";
import { NumberedStream, STREAM_SOURCE, type StreamEnd } from "./numbered_stream.ts";
import type { Product } from "./product.ts";
import type { ProductNode } from "./product_node.ts";
import { lanObject, podObject, type PodOptions, TEST_LABEL } from "./product_objects.ts";
import { report } from "./say.ts";
import { until } from "./until.ts";

export type FaultStep = (stage: FaultStage) => Promise<void>;

/** A stream that no step may touch. */
interface Witness {
  readonly name: string;
  readonly from: StreamEnd;
  readonly to: StreamEnd;
  readonly dst?: string;
  readonly src?: string;
}

/** Another station than the one that the other streams come from. */
const ANSWERER = "02:00:00:00:00:78";

/** Value of TEST_LABEL on what stays for all steps. */
const WITNESS = "witness";
const FRAMES_PER_SECOND = 500;
const CLEAN_MS = 40_000;
/** So many frames show that two ends reach each other. */
const PROBE_FRAMES = 50;

export class FaultStage {
  readonly product: Product;
  readonly worker1: ProductNode;
  readonly worker2: ProductNode;
  /** What is there between two steps. */
  #picture: readonly string[] = [];
  #witnesses: readonly Witness[] = [];

  private constructor(product: Product) {
    this.product = product;
    this.worker1 = product.node("worker1");
    this.worker2 = product.node("worker2");
  }

  /** Attaches the witnesses: a macvtap and a veth on the first node, a macvtap on the second. */
  static async start(product: Product): Promise<FaultStage> {
    const stage = new FaultStage(product);
    const { worker1, worker2 } = stage;
    await product.cluster.apply(witness(lanObject("calm", { vni: 900, spokes: ["near", "far"] })));
    await product.untilCondition("calm", "Ready", "Ready");
    await stage.untilOffered(["near", "far"]);
    await product.cluster.apply([
      witness(podObject("near", { node: worker1.node, networks: "near", spokes: ["near"] })),
      witness(podObject("beside", { node: worker1.node, networks: "calm-any" })),
      witness(podObject("far", { node: worker2.node, networks: "far", spokes: ["far"] })),
    ]);
    for (const pod of ["near", "beside", "far"]) await product.untilRunning(pod);
    await product.untilCondition("calm", "InUse", "Attached", { message: /"default\/far"/ });
    const [near, far] = [await worker1.end("near"), await worker2.end("far")];
    stage.#witnesses = [
      { name: "within worker1", from: near, to: await worker1.end("beside") },
      { name: "from worker1 to worker2", from: near, to: far },
      // To a station that bridges and VXLANs know by the other streams.
      {
        ...{ name: "from worker2 to worker1", from: far, to: near },
        ...{ dst: STREAM_SOURCE, src: ANSWERER },
      },
    ];
    // Elsewhere they cannot be had, as soon as kubelet has said so.
    await product.untilAllocatable(["near"], { nodes: [worker1] });
    await product.untilAllocatable(["far"], { nodes: [worker2] });
    stage.#picture = await stage.picture();
    return stage;
  }

  /** Gives up the witness on the second node: whatever comes is about that node as a whole. */
  async leaveWorker2(): Promise<void> {
    if (this.#witnesses.length === 1) return;
    await this.product.cluster.kubectl(["delete", "pod", "far", "--wait"]);
    this.#witnesses = this.#witnesses.slice(0, 1);
    await this.untilOffered(["far"]);
    await until("the LAN is gone from worker2", async () => {
      return (await this.lansOn(this.worker2)).length === 0;
    });
    this.#picture = await this.picture();
  }

  /**
   * A step of a test. Whatever it does, the witnesses lose no frame; afterwards what it has made is
   * deleted, and then everything must be as it was before. A failure tells what the product says.
   */
  async step(t: Deno.TestContext, title: string, run: FaultStep): Promise<void> {
    await t.step(title, async () => {
      const streams = this.#witnesses.map(({ name, from, to, dst, src }) => ({
        name,
        stream: new NumberedStream(from, to, FRAMES_PER_SECOND, dst, src),
      }));
      try {
        await run(this);
        const ended = performance.now();
        await this.clean();
        report("as before", ended);
        const lost = [];
        for (const { name, stream } of streams) {
          const { sent, lost: numbers, outOfPlace } = await stream.stop();
          lost.push({ name, sent, lost: numbers.length, first: numbers[0], outOfPlace });
        }
        ok(lost.every(({ sent }) => sent > 0));
        const none = lost.map((of) => ({ ...of, lost: 0, first: undefined, outOfPlace: 0 }));
        deepStrictEqual(lost, none);
      } catch (cause) {
        const about = await this.product.report();
        await this.clean().catch(() => {}); // the next step may do without
        throw new Error(`${cause instanceof Error ? cause.stack : cause}\n${about}`, { cause });
      } finally {
        for (const { stream } of streams) stream[Symbol.dispose]();
      }
    });
  }

  /** Deletes what a step has made, and waits until everything is as it was before. */
  async clean(): Promise<void> {
    const { cluster } = this.product;
    for (const kinds of ["deployments.apps,pods,lans.lan.k8slan.io,net-attach-def", "namespaces"]) {
      const scope = kinds === "namespaces" ? [] : ["--all-namespaces"];
      const selected = [...scope, "-l", `${TEST_LABEL}=yes`, "--ignore-not-found"];
      await cluster.kubectl(["delete", kinds, ...selected, "--timeout=30s"]);
    }
    let found: readonly string[] = [];
    await until("everything is as before", async () => {
      found = await this.picture();
      return JSON.stringify(found) === JSON.stringify(this.#picture);
    }, { timeout: CLEAN_MS, interval: 200 }).catch((cause) => {
      const more = found.filter((what) => !this.#picture.includes(what));
      const less = this.#picture.filter((what) => !found.includes(what));
      const lines = [...more.map((what) => `+ ${what}`), ...less.map((what) => `- ${what}`)];
      throw new Error(`Not as before the step:\n  ${lines.join("\n  ")}`, { cause });
    });
  }

  /** All of the product's work in the cluster. */
  async picture(): Promise<readonly string[]> {
    return [...await this.product.leftovers()].sort();
  }

  /** A LAN that is ready and whose spokes can be had on every node. */
  async lan(name: string, vni: number, spokes: readonly string[] = []): Promise<void> {
    await this.product.cluster.apply(lanObject(name, { vni, spokes }));
    await this.product.untilCondition(name, "Ready", "Ready");
    await this.untilOffered(spokes);
  }

  /** Pods that run. */
  async pods(pods: Readonly<Record<string, PodOptions>>): Promise<void> {
    const objects = Object.entries(pods).map(([name, options]) => podObject(name, options));
    await this.product.cluster.apply(objects);
    for (const name of Object.keys(pods)) await this.product.untilRunning(name);
  }

  /** Milliseconds until pods can get the devices of at least these spokes on these nodes. */
  async untilOffered(
    spokes: readonly string[],
    { nodes = this.product.nodes, timeout = 10_000 } = {},
  ): Promise<number> {
    const started = performance.now();
    let found: unknown;
    await until(`devices of ${spokes} on every node`, async () => {
      const lists = await Promise.all(nodes.map((node) => node.allocatable()));
      found = lists;
      return lists.every((list) => spokes.every((spoke) => list.includes(spoke)));
    }, { timeout, interval: 20 }).catch((cause) => {
      throw new Error(`${cause.message}; found ${JSON.stringify(found)}`, { cause });
    });
    return performance.now() - started;
  }

  /** Milliseconds until the LAN's status counts so many workloads. */
  async untilAttached(lan: string, count: number, timeout = 15_000): Promise<number> {
    const started = performance.now();
    let found: unknown;
    await until(`${count} attached to LAN "${lan}"`, async () => {
      found = (await this.product.lan(lan)).status?.attached;
      return found === count;
    }, { timeout, interval: 20 }).catch((cause) => {
      throw new Error(`${cause.message}; found ${found}`, { cause });
    });
    return performance.now() - started;
  }

  /** Fails if the frames of one end do not reach the other. */
  async reaches(from: StreamEnd, to: StreamEnd): Promise<void> {
    using stream = new NumberedStream(from, to, FRAMES_PER_SECOND);
    await until("frames are sent", () => stream.sent >= PROBE_FRAMES);
    const { lost } = await stream.stop();
    deepStrictEqual(lost, []);
  }

  /** What the agent of a node says, without the API server. */
  async view(node: ProductNode): Promise<NodeView> {
    // Its exit code tells that something needs attention.
    const ask = 'k8slan=/opt/cni/bin/k8slan; "$k8slan" status --output json || [ $? = 3 ]';
    return JSON.parse(await node.node.run(["sh", "-c", ask]));
  }

  /** A figure of the agent's metrics. */
  async figure(node: ClusterNode, name: string): Promise<number> {
    const text = await node.run(["busybox", "wget", "-qO-", "http://127.0.0.1:9814/metrics"]);
    const value = new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`No "${name}" in:\n${text}`);
    return Number(value);
  }

  /** Names of the LANs' namespaces on a node. */
  async lansOn({ node }: ProductNode): Promise<readonly string[]> {
    const text = await node.run(["find", "/run/k8slan/netns", "-mindepth", "1"]);
    return text.split("\n").filter((line) => line !== "").map((path) => path.split("/").at(-1)!);
  }
}

/** An object that the steps leave alone. */
function witness<T extends { readonly metadata: { readonly labels: object } }>(object: T) {
  const labels = { ...object.metadata.labels, [TEST_LABEL]: WITNESS };
  return { ...object, metadata: { ...object.metadata, labels } };
}

/** Whether there is something at a path of this machine. */
export function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
