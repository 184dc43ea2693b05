/** How long it takes until all is as before, after the product was ended. */

import { CONTROLLER_NAME, SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { LEASE_TIMING } from "../../src/kube/lease_step.ts";
import { LANS, LEASES } from "../../src/kube/resources.ts";
import { PODS } from "../../tests/support/pod_objects.ts";
import { Follower } from "./cluster_follower.ts";
import { clusterLan, type ClusterStage, isReady, NAMESPACE, SPOKES } from "./cluster_stage.ts";
import { ContainerStarts } from "./container_starts.ts";
import type { Finding } from "./finding.ts";

export interface AgentRestart {
  /** From the end of the agent until kubelet runs it again. Milliseconds. */
  readonly away: number;
  /** From its start until kubelet has all devices. Milliseconds. */
  readonly registered: number;
}

/** Kills the agent of a node that offers so many devices. */
export async function restartAgent(stage: ClusterStage, devices: number): Promise<AgentRestart> {
  const [node] = stage.nodes;
  await using starts = new ContainerStarts(node.product.node);
  await stage.untilGiven(node, devices);
  const began = { at: performance.now(), date: Date.now() };
  await node.product.killAgent();
  await stage.untilGiven(node, 0);
  const registered = await stage.untilGiven(node, devices) - began.at;
  const away = await starts.after(began.date) - began.date;
  return { away, registered: registered - away };
}

export interface FailOver {
  /** Until the other controller holds the lease. Milliseconds. */
  readonly leads: number;
  /** Until a LAN that was made at once is Ready. Milliseconds. */
  readonly works: number;
}

/** By SIGKILL, by SIGSTOP as when its machine hangs, as in a roll-out. */
export type End = "killed" | "stopped" | "deleted";

/** Ends the controller that leads, and makes LAN number `lan` at the same time. */
export async function failOver(
  stage: ClusterStage,
  how: End,
  lan: number,
): Promise<FailOver> {
  const { api, product } = stage;
  await product.ready();
  const { identity, pod, node } = await stage.leader();
  const pid = await stage.controllerPid(node);
  const fieldSelector = `metadata.name=${CONTROLLER_NAME}`;
  const namespace = SYSTEM_NAMESPACE;
  await using leases = new Follower(api, LEASES, { namespace, fieldSelector });
  await leases.until("the lease is known", ({ size }) => size === 1);
  const started = performance.now();
  if (how === "deleted") await api.delete(PODS, { namespace, name: pod });
  else Deno.kill(pid, how === "killed" ? "SIGKILL" : "SIGSTOP");
  const { metadata: { name } } = await api.create(LANS, clusterLan(lan));
  const [leads, works] = await Promise.all([
    leases.until("another one leads", (all) =>
      all.values().some(({ spec }) => {
        const holder = spec?.holderIdentity;
        return !!holder && holder !== identity;
      })),
    stage.lans.until("the LAN is ready", (all) => {
      const found = all.get(`${NAMESPACE}/${name}`);
      return found !== undefined && isReady(found);
    }),
  ]);
  // One that hung is not to wake up as if nothing had been.
  if (how === "stopped") Deno.kill(pid, "SIGKILL");
  await api.delete(LANS, { namespace: NAMESPACE, name });
  await stage.lans.until("the LAN is gone", (all) => !all.has(`${NAMESPACE}/${name}`));
  return { leads: leads - started, works: works - started };
}

export function recoveryFindings(
  count: number,
  { away, registered }: AgentRestart,
  controllers: Readonly<Record<End, FailOver>>,
): Finding[] {
  const lease = { other: { name: "lease lasts", value: LEASE_TIMING.durationMs / 1000 } };
  const ends = Object.entries(controllers).flatMap(([how, { leads, works }]): Finding[] => [
    {
      ...{ what: `Controller that leads ${how}: until another process leads`, unit: "s" },
      ...{ ours: leads / 1000, ...lease },
    },
    {
      ...{ what: "… until a LAN made meanwhile is Ready", unit: "s", ours: works / 1000 },
      ...lease,
    },
  ]);
  return [
    {
      ...{ what: `Agent killed: from its start until kubelet has ${count * SPOKES} devices` },
      ...{ unit: "s", ours: registered / 1000, budget: { most: 3 } },
      other: { name: "kubelet starts it again after", value: away / 1000 },
    },
    ...ends,
  ];
}
