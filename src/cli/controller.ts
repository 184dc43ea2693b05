/** `k8slan controller`: this process becomes one of the cluster's controllers. */

import type { LogLevel } from "../base/log.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";
import { untilStopped } from "./stop_signal.ts";

export interface ControllerCommandOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly webhookPort: number;
  readonly healthPort: number;
  readonly metricsPort: number;
  readonly webhookCertificateDir?: string;
  readonly logLevel: LogLevel;
}

/**
 * Runs until SIGTERM or SIGINT. A controller that lost its leadership fails, to be started anew: it
 * can't know what of its doings is still under way.
 */
export async function controller(
  options: ControllerCommandOptions,
  host: CliHost,
): Promise<number> {
  const { controllerMain } = await import("../controller/main.ts");
  const instance = host.env("POD_NAME") || host.hostname();
  const env = (name: string) => host.env(name);
  const outcome = await untilStopped((signal) =>
    controllerMain({ ...options, instance, env }, signal)
  );
  return outcome === "ended" ? ExitCode.Ok : ExitCode.Failed;
}
