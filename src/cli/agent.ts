/** `k8slan agent`: this process becomes the node's agent until it is told to stop. */

import { resolve } from "node:path";
import type { LogLevel } from "../base/log.ts";
import type { TapOwner } from "../plan/wanted.ts";
import { ExitCode, UsageError } from "./exit_code.ts";
import { type CliHost, nodeName } from "./host.ts";

export interface AgentCommandOptions {
  readonly standalone?: true;
  readonly lans?: string;
  readonly node?: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly tapOwner: TapOwner;
  readonly logLevel: LogLevel;
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Serves until SIGTERM or SIGINT; a second one ends the process at once. */
export async function agent(options: AgentCommandOptions, host: CliHost): Promise<number> {
  const { standalone, lans, tapOwner, logLevel } = options;
  if (standalone !== true) {
    throw new UsageError(
      "The agent needs --standalone and a folder of LAN files (--lans): this version does not read LANs from Kubernetes yet",
    );
  }
  if (lans === undefined) throw new UsageError("The agent needs a folder of LAN files: --lans");
  // Others get to see these paths, for whom relative ones would mean something else.
  const [lansDir, runDir, stateDir] = [
    resolve(lans),
    resolve(options.runDir),
    resolve(options.stateDir),
  ];
  const node = nodeName(options.node, host);
  const { agentMain } = await import("../agent/main.ts");
  const stop = new AbortController();
  const onSignal = () => {
    forget();
    stop.abort();
  };
  const forget = () => SIGNALS.forEach((name) => Deno.removeSignalListener(name, onSignal));
  SIGNALS.forEach((name) => Deno.addSignalListener(name, onSignal));
  try {
    await agentMain(
      { standalone, lansDir, node, runDir, stateDir, tapOwner, logLevel },
      stop.signal,
    );
  } finally {
    forget();
  }
  return ExitCode.Ok;
}
