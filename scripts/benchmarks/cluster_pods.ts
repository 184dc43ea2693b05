/** How much later a pod runs that has a macvtap. */

import type { KubeObject } from "../../src/kube/objects.ts";
import { resource } from "../../src/kube/resource.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../../src/kube/resources.ts";
import { networkObject, podObject, type PodOptions } from "../../tests/support/product_objects.ts";
import { AgentFigures } from "./agent_figures.ts";
import { Follower } from "./cluster_follower.ts";
import { clusterLan, type ClusterStage, NAMESPACE } from "./cluster_stage.ts";
import { ContainerStarts } from "./container_starts.ts";
import type { Finding } from "./finding.ts";
import { median } from "./stats.ts";

const BUDGET_MS = 100;
const AGENT_BUDGET_MS = 10;
/** A network of the kind that other plugins make, without addresses as well. */
const BRIDGE = { cniVersion: "1.0.0", name: "bench", type: "bridge", bridge: "bench0" };

interface Pod extends KubeObject {
  readonly spec: unknown;
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly { readonly containerID?: string }[];
  };
}

const PODS = resource<Pod>({
  ...{ group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true },
});

/** Milliseconds since the pod was created. */
interface Start {
  /** Until containerd started its sandbox: its interfaces are there. */
  readonly sandbox: number;
  /** Until containerd started its container. */
  readonly started: number;
  /** Until the API server told that it runs. */
  readonly running: number;
}

export interface PodStarts {
  readonly plain: readonly Start[];
  readonly bridge: readonly Start[];
  readonly macvtap: readonly Start[];
  /** What the agent took for one of `macvtap`, on average. Milliseconds. */
  readonly agent: number;
  /** The first pod with a macvtap since the product was installed. */
  readonly cold: Start;
}

/** Pods one after the other on one node: with a macvtap, with another network, without any, in turns. */
export async function podStarts(stage: ClusterStage, rounds: number): Promise<PodStarts> {
  const [first] = stage.nodes;
  const { node } = first.product;
  await using containers = new ContainerStarts(node);
  await using pods = new Follower(stage.api, PODS, { namespace: NAMESPACE });
  const start = async (name: string, networks: Networks = {}): Promise<Start> => {
    const object = podObject(name, { namespace: NAMESPACE, node, ...networks });
    const key = { namespace: NAMESPACE, name };
    const began = { at: performance.now(), date: Date.now() };
    await stage.api.create(PODS, withEnd(object));
    const path = `${NAMESPACE}/${name}`;
    const running = await pods.until(
      `pod "${name}" runs`,
      (all) => all.get(path)?.status?.phase === "Running",
    );
    const id = pods.objects.get(path)?.status?.containerStatuses?.[0]?.containerID;
    const started = await containers.of(id?.replace("containerd://", "") ?? "");
    const sandbox = await containers.after(began.date);
    await stage.api.delete(PODS, key);
    await pods.until(`pod "${name}" is gone`, (all) => !all.has(path));
    return {
      sandbox: sandbox - began.date,
      started: started - began.date,
      running: running - began.at,
    };
  };

  const network = networkObject(BRIDGE.name, BRIDGE, { namespace: NAMESPACE });
  await stage.api.create(NETWORK_ATTACHMENT_DEFINITIONS, network);
  await start("first");
  await start("first-bridge", { networks: BRIDGE.name });
  const cold = await start("first-macvtap", macvtapOf(0));
  const starts: Record<"plain" | "bridge" | "macvtap", Start[]> = {
    plain: [],
    bridge: [],
    macvtap: [],
  };
  const before = (await AgentFigures.read(first)).adds;
  for (let round = 0; round < rounds; round++) {
    const turns = [
      ["plain", {}],
      ["bridge", { networks: BRIDGE.name }],
      ["macvtap", macvtapOf(round + 1)],
    ] as const;
    // Each comes after each.
    for (const [kind, networks] of round % 2 === 0 ? turns : turns.toReversed()) {
      starts[kind].push(await start(`${kind}-${round}`, networks));
    }
  }
  const after = (await AgentFigures.read(first)).adds;
  return { ...starts, cold, agent: (after.ms - before.ms) / (after.count - before.count) };
}

type Networks = Pick<PodOptions, "networks" | "spokes">;

/** By the first spoke of LAN `at`. The LAN isn't on the node yet: it is made first. */
function macvtapOf(at: number): Networks {
  const [spoke = ""] = clusterLan(at).spec.spokes;
  return { networks: spoke, spokes: [spoke] };
}

/** Ends when it is told to, so that the next pod doesn't start while kubelet waits for this one. */
function withEnd(pod: ReturnType<typeof podObject>) {
  const command = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait"];
  const containers = pod.spec.containers.map((container) => ({ ...container, command }));
  return { ...pod, spec: { ...pod.spec, containers, terminationGracePeriodSeconds: 10 } };
}

export function podFindings({ plain, bridge, macvtap, cold, agent }: PodStarts): Finding[] {
  const of = (starts: readonly Start[], which: keyof Start) =>
    median(starts.map((start) => start[which]));
  const finding = (
    what: string,
    which: keyof Start,
    name: string,
    others: readonly Start[],
  ): Finding => ({
    ...{ what, unit: "ms", ours: of(macvtap, which), note: spread(macvtap, which) },
    other: { name, value: of(others, which), note: spread(others, which) },
  });
  const until = "Pod with a macvtap, created until its container runs";
  return [
    {
      ...finding(until, "started", "no further interface", plain),
      budget: { mostAboveOther: BUDGET_MS },
    },
    finding("…", "started", "one by plugin `bridge`", bridge),
    finding("… until its interfaces are there", "sandbox", "no further interface", plain),
    finding("…", "sandbox", "one by plugin `bridge`", bridge),
    finding("… until the API server knows", "running", "no further interface", plain),
    {
      ...{ what: "… of which the agent, LAN not on the node yet", unit: "ms", ours: agent },
      budget: { most: AGENT_BUDGET_MS },
    },
    {
      ...{ what: "The first one after installing", unit: "ms", ours: cold.started },
      other: { name: "those after it", value: of(macvtap, "started") },
    },
  ];
}

function spread(starts: readonly Start[], which: keyof Start): string {
  const values = starts.map((start) => start[which]);
  return `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)} ms`;
}
