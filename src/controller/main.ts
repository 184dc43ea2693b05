/** `k8slan controller`: wires the controller to its API server and to what it serves. */

import { CONTROLLER_NAME } from "../api/names.ts";
import { createLog, type Log, type LogLevel } from "../base/log.ts";
import { FetchKubeApi } from "../kube/fetch_kube_api.ts";
import { findKubeAccess } from "../kube/find_access.ts";
import { version } from "../version.ts";
import { Controller } from "./controller.ts";
import type { ControllerFacts, ServerOptions } from "./facts.ts";
import { startServers } from "./servers.ts";

export interface ControllerMainOptions extends ServerOptions {
  readonly kubeconfig?: string;
  /** The pod's name, or this machine's: for people who look at the lease and at events. */
  readonly instance: string;
  readonly logLevel: LogLevel;
  readonly env: (name: string) => string | undefined;
}

/**
 * A hundred LANs at once are made without delay; one with thousands of spokes takes its time. The
 * API server's own fairness guards it from more.
 */
const REQUESTS = { perSecond: 400, burst: 2_000 };

/** An object that etcd takes has 1.5 MiB. */
const POD_REQUESTS = { perSecond: 100, burst: 100, maxBytes: 2 << 20 };

/** Runs until `signal` fires ("ended") or until leadership is "lost": the process shall end then. */
export async function controllerMain(
  options: ControllerMainOptions,
  signal: AbortSignal,
  log: Log = createLog({ level: options.logLevel }),
): Promise<"ended" | "lost"> {
  const { namespace, env, kubeconfig, instance } = options;
  const access = await findKubeAccess({ env, ...(kubeconfig === undefined ? {} : { kubeconfig }) });
  giveUpRights(kubeconfig === undefined);
  const userAgent = `k8slan/${version} (controller)`;
  using api = new FetchKubeApi(access, { userAgent, ...REQUESTS });
  using leaseApi = new FetchKubeApi(access, { userAgent: `${userAgent} lease` });
  using podApi = new FetchKubeApi(access, { userAgent: `${userAgent} pods`, ...POD_REQUESTS });
  const identity = `${instance}_${crypto.randomUUID().slice(0, 8)}`;
  const controller = new Controller({
    ...{ api, leaseApi, identity, log, signal },
    ...(env("POD_NAME") === instance ? { hasEnded: isPredecessorIn(instance) } : {}),
    lease: { namespace, name: CONTROLLER_NAME },
  });
  await using _servers = await startServers(
    factsOf(controller, { options, api, podApi, log, signal }),
  );
  log.info("Controller started", { version, identity, server: access.server });
  return await controller.run();
}

/**
 * What the executable may do for its other roles. A kubeconfig can name a program that logs in, and
 * is asked again when that login expires.
 */
function giveUpRights(isInCluster: boolean): void {
  for (const name of ["ffi", "write", ...(isInCluster ? ["run"] as const : [])] as const) {
    Deno.permissions.revokeSync({ name });
  }
}

/**
 * A pod's container starts only after the one before it has ended: what that held is ours to take, and
 * a leader that was killed, or could not reach the API server, leads again as soon as it is back.
 */
function isPredecessorIn(pod: string): (holder: string) => boolean {
  return (holder) => holder.startsWith(`${pod}_`);
}

function factsOf(
  controller: Controller,
  parts: Pick<ControllerFacts, "options" | "api" | "podApi" | "log" | "signal">,
): ControllerFacts {
  const { view, counters } = controller;
  return {
    ...parts,
    counters,
    leaderApi: () => controller.leaderApi,
    isLeader: () => controller.isLeader,
    isSynced: () => view.isSynced,
    lanObjects: () => view.lans.values(),
    lans: () => view.acceptance.lans(),
    network: (key) => view.networks.get(key),
    workloads: (lanUid) => view.report(lanUid).workloads,
    queueLength: () => controller.queueLength,
  };
}
