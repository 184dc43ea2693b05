/** `k8slan cleanup`: takes everything of ours off this node. */

import { resolve } from "node:path";
import { createLog } from "../base/log.ts";
import { problemPage, startPageServer } from "../base/page_server.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";

export interface CleanupCommandOptions {
  readonly force?: true;
  readonly runDir: string;
  readonly stateDir: string;
  readonly cniBinDir: string;
  readonly kubeletDir: string;
  readonly hostRoot?: string;
  readonly stay?: number;
  readonly output: "text" | "json";
}

/** Where the executable that unpacks itself does so first (scripts/build_launcher.sh). */
const CACHE_DIR = "/var/cache/k8slan";

/** Cleans up; with `stay` it answers at that port from then on, until it is told to stop. */
export async function cleanup(options: CleanupCommandOptions, host: CliHost): Promise<number> {
  const { cleanUpNode } = await import("../agent/cleanup.ts");
  const log = createLog({ level: "warn" });
  const report = await cleanUpNode({
    force: options.force === true,
    runDir: resolve(options.runDir),
    stateDir: resolve(options.stateDir),
    cniBinDir: resolve(options.cniBinDir),
    kubeletDir: resolve(options.kubeletDir),
    cacheDir: resolve(host.env("K8SLAN_CACHE_DIR") || CACHE_DIR),
    hostRoot: options.hostRoot === undefined ? "" : resolve(options.hostRoot),
    log,
  });
  if (options.output === "json") host.out(`${JSON.stringify(report, null, 2)}\n`);
  else {
    for (const what of report.removed) host.out(`Removed ${what}\n`);
    for (const what of report.kept) host.out(`Left alone ${what}\n`);
    if (report.removed.length === 0) host.out("There is nothing of k8slan on this node\n");
  }
  for (const what of report.failed) host.err(`k8slan: Cannot remove ${what}\n`);
  if (report.failed.length > 0) return ExitCode.Failed;
  if (options.stay !== undefined) await answerUntilStopped(options.stay, log);
  return ExitCode.Ok;
}

/** That it answers at all says that this node is clean. */
async function answerUntilStopped(
  port: number,
  log: ReturnType<typeof createLog>,
): Promise<void> {
  const pages = { "/healthz": () => problemPage([]), "/readyz": () => problemPage([]) };
  const server = startPageServer({ pages, hostname: "127.0.0.1", port, log });
  const stop = () => void server.shutdown();
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
  await server.finished;
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.removeSignalListener(signal, stop);
}
