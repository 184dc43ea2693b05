/** How much later a pod runs that has a macvtap. */

import type { KubeObject } from "../../src/kube/objects.ts";
import { resource } from "../../src/kube/resource.ts";
import { podObject } from "../../tests/support/product_objects.ts";
import { Follower } from "./cluster_follower.ts";
import { clusterLan, type ClusterStage, NAMESPACE } from "./cluster_stage.ts";
import { ContainerStarts } from "./container_starts.ts";
import type { Finding } from "./finding.ts";
import { median } from "./stats.ts";

const BUDGET_MS = 100;

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
  /** Until containerd started its container. */
  readonly started: number;
  /** Until the API server told that it runs. */
  readonly running: number;
}

export interface PodStarts {
  readonly plain: readonly Start[];
  readonly macvtap: readonly Start[];
  /** The first pod with a macvtap since the product was installed. */
  readonly cold: Start;
}

/** Pods one after the other on one node, with and without a macvtap in turns. */
export async function podStarts(stage: ClusterStage, pairs: number): Promise<PodStarts> {
  const [{ product: { node } }] = stage.nodes;
  await using starts = new ContainerStarts(node);
  await using pods = new Follower(stage.api, PODS, { namespace: NAMESPACE });
  /** With spoke 0 of LAN `at`, which isn't on the node yet: the LAN is made first. */
  const start = async (name: string, at?: number): Promise<Start> => {
    const spoke = at === undefined ? undefined : clusterLan(at).spec.spokes[0];
    const object = podObject(name, {
      ...{ namespace: NAMESPACE, node },
      ...(spoke === undefined ? {} : { networks: spoke, spokes: [spoke] }),
    });
    const key = { namespace: NAMESPACE, name };
    const began = { at: performance.now(), date: Date.now() };
    await stage.api.create(PODS, withEnd(object));
    const path = `${NAMESPACE}/${name}`;
    const running = await pods.until(
      `pod "${name}" runs`,
      (all) => all.get(path)?.status?.phase === "Running",
    );
    const id = pods.objects.get(path)?.status?.containerStatuses?.[0]?.containerID;
    const started = await starts.of(id?.replace("containerd://", "") ?? "");
    await stage.api.delete(PODS, key);
    await pods.until(`pod "${name}" is gone`, (all) => !all.has(path));
    return { started: started - began.date, running: running - began.at };
  };

  await start("first");
  const cold = await start("first-macvtap", 0);
  const plain: Start[] = [];
  const macvtap: Start[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const turns = [
      async () => plain.push(await start(`plain-${pair}`)),
      async () => macvtap.push(await start(`macvtap-${pair}`, pair + 1)),
    ];
    for (const turn of pair % 2 === 0 ? turns : turns.reverse()) await turn();
  }
  return { plain, macvtap, cold };
}

/** Ends when it is told to, so that the next pod doesn't start while kubelet waits for this one. */
function withEnd(pod: ReturnType<typeof podObject>) {
  const command = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait"];
  const containers = pod.spec.containers.map((container) => ({ ...container, command }));
  return { ...pod, spec: { ...pod.spec, containers, terminationGracePeriodSeconds: 10 } };
}

export function podFindings({ plain, macvtap, cold }: PodStarts): Finding[] {
  const of = (starts: readonly Start[], which: keyof Start) =>
    median(starts.map((start) => start[which]));
  const finding = (what: string, which: keyof Start): Finding => ({
    ...{ what, unit: "ms", ours: of(macvtap, which) },
    ...{ note: spread(macvtap, which) },
    other: { name: "without it", value: of(plain, which), note: spread(plain, which) },
  });
  return [
    {
      ...finding("Pod with a macvtap, created until its container runs", "started"),
      budget: { mostAboveOther: BUDGET_MS },
    },
    finding("… until the API server knows", "running"),
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
