/** How long LANs take to be had everywhere, and to be gone again. */

import { LANS } from "../../src/kube/resources.ts";
import {
  clusterLan,
  type ClusterStage,
  isReady,
  NAMESPACE,
  NETWORKS,
  SPOKES,
} from "./cluster_stage.ts";
import type { Finding } from "./finding.ts";
import { median } from "./stats.ts";

/** Requests under way at once, as of a client that does not dawdle. */
const REQUESTS = 10;
const BUDGET_S = 3;

export const APPLIED = ["api", "kubelet", "status", "ready", "networks"] as const;
export const DELETED = ["api", "kubelet", "status", "gone", "networks"] as const;
/** Milliseconds since the first request, by what had happened by then. */
export type Times<Names extends readonly string[]> = Readonly<Record<Names[number], number>>;

/** Applies LANs `0..count`; how long until … */
export async function applyLans(
  stage: ClusterStage,
  count: number,
): Promise<Times<typeof APPLIED>> {
  const { api, nodes, lans, networks } = stage;
  const devices = count * SPOKES;
  const started = performance.now();
  const create = (at: number) => api.create(LANS, clusterLan(at));
  const moments = await Promise.all([
    inTurns(count, create),
    latest(nodes.map((node) => stage.untilGiven(node, devices))),
    stage.untilAllocatable(devices),
    lans.until(
      "all LANs are ready",
      ({ size }) => size === count && lans.objects.values().every(isReady),
    ),
    networks.until("all networks are there", ({ size }) => size === count * NETWORKS),
  ]);
  const [made, kubelet, status, ready, offered] = moments.map((moment) => moment - started);
  return { api: made!, kubelet: kubelet!, status: status!, ready: ready!, networks: offered! };
}

/** Deletes LANs `0..count`; how long until … */
export async function deleteLans(
  stage: ClusterStage,
  count: number,
): Promise<Times<typeof DELETED>> {
  const { api, nodes, lans, networks } = stage;
  const started = performance.now();
  const remove = (at: number) =>
    api.delete(LANS, { namespace: NAMESPACE, name: clusterLan(at).metadata.name });
  const moments = await Promise.all([
    inTurns(count, remove),
    latest(nodes.map((node) => stage.untilGiven(node, 0))),
    stage.untilAllocatable(0),
    lans.until("no LAN is left", ({ size }) => size === 0),
    networks.until("no network is left", ({ size }) => size === 0),
  ]);
  const [asked, kubelet, status, gone, networksGone] = moments.map((moment) => moment - started);
  return {
    ...{ api: asked!, kubelet: kubelet!, status: status! },
    ...{ gone: gone!, networks: networksGone! },
  };
}

export function scaleFindings(
  count: number,
  applied: readonly Times<typeof APPLIED>[],
  deleted: readonly Times<typeof DELETED>[],
): Finding[] {
  const lans = `${count} LANs × ${SPOKES} spokes`;
  const api = (times: readonly { readonly api: number }[], verb: string) => ({
    other: { name: `API server ${verb} all`, value: median(times.map((time) => time.api)) / 1000 },
  });
  const [apply, remove] = [api(applied, "has stored"), api(deleted, "has been asked for")];
  const budget = { budget: { most: BUDGET_S } };
  return [
    {
      what: `${lans} applied: kubelets give the devices`,
      ...over(applied, "kubelet"),
      ...apply,
      ...budget,
    },
    {
      what: "… from when the last of them was stored",
      ...over(applied.map(later), "kubelet"),
      ...budget,
    },
    { what: "… in the status of both nodes", ...over(applied, "status"), ...apply, ...budget },
    { what: "… all LANs are Ready", ...over(applied, "ready"), ...apply },
    {
      what: `… all ${count * NETWORKS} networks are there`,
      ...over(applied, "networks"),
      ...apply,
    },
    {
      what: `${lans} deleted: kubelets give no device`,
      ...over(deleted, "kubelet"),
      ...remove,
      ...budget,
    },
    { what: "… from when the last of them was asked for", ...over(deleted.map(later), "kubelet") },
    { what: "… in the status of both nodes", ...over(deleted, "status"), ...remove, ...budget },
    { what: "… no LAN is left", ...over(deleted, "gone"), ...remove },
    { what: "… no network is left", ...over(deleted, "networks"), ...remove },
  ];
}

/** Without what the requests themselves took. */
function later({ kubelet, api }: { readonly kubelet: number; readonly api: number }) {
  return { kubelet: kubelet - api };
}

/** Seconds: the median, and the worst beside it. */
function over<Name extends string>(times: readonly Readonly<Record<Name, number>>[], name: Name) {
  const seconds = times.map((time) => time[name] / 1000);
  const note = `worst of ${seconds.length}: ${Math.max(...seconds).toFixed(2)} s`;
  return { unit: "s", ours: median(seconds), ...(seconds.length > 1 ? { note } : {}) } as const;
}

/** Does all of it, few at once; when the last has ended. */
async function inTurns(count: number, task: (at: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const work = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: REQUESTS }, work));
  return performance.now();
}

async function latest(moments: readonly Promise<number>[]): Promise<number> {
  return Math.max(...await Promise.all(moments));
}
