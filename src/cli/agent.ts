/** `k8slan agent`: this process becomes the node's agent until it is told to stop. */

import { resolve } from "node:path";
import type { LogLevel } from "../base/log.ts";
import type { TapOwner } from "../plan/wanted.ts";
import type { AgentOptions } from "../agent/main.ts";
import {
  DEFAULT_AGENT_HEALTH_PORT,
  DEFAULT_CNI_BIN_DIR,
  DEFAULT_KUBELET_DIR,
} from "../api/names.ts";
import { ExitCode, UsageError } from "./exit_code.ts";
import { type CliHost, nodeName } from "./host.ts";
import { isNodeName } from "./values.ts";

export interface AgentCommandOptions {
  readonly standalone?: true;
  readonly lans?: string;
  readonly peers?: string;
  readonly node?: string;
  readonly kubeconfig?: string;
  readonly kubeletDir?: string;
  readonly cniBinDir?: string;
  readonly healthPort?: number;
  readonly runDir: string;
  readonly stateDir: string;
  readonly tapOwner: TapOwner;
  readonly logLevel: LogLevel;
  readonly probeInterval: number;
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Serves until SIGTERM or SIGINT; a second one ends the process at once. */
export async function agent(command: AgentCommandOptions, host: CliHost): Promise<number> {
  const options = agentOptions(command, host);
  const { agentMain } = await import("../agent/main.ts");
  const stop = new AbortController();
  const onSignal = () => {
    forget();
    stop.abort();
  };
  const forget = () => SIGNALS.forEach((name) => Deno.removeSignalListener(name, onSignal));
  SIGNALS.forEach((name) => Deno.addSignalListener(name, onSignal));
  try {
    await agentMain(options, stop.signal);
  } finally {
    forget();
  }
  return ExitCode.Ok;
}

/** What the command line means. Throws `UsageError`. */
export function agentOptions(command: AgentCommandOptions, host: CliHost): AgentOptions {
  const { standalone, lans, peers, healthPort, tapOwner, logLevel, probeInterval } = command;
  const node = nodeName(command.node, host);
  const common = {
    ...{ node, tapOwner, logLevel, probeInterval },
    // Others get to see these paths, for whom relative ones would mean something else.
    runDir: resolve(command.runDir),
    stateDir: resolve(command.stateDir),
  };
  if (standalone) {
    for (const [option, value] of clusterOptions(command)) {
      if (value === undefined) continue;
      throw new UsageError(`${option} is for an agent in a cluster, which --standalone is not`);
    }
    if (lans === undefined) throw new UsageError("The agent needs a folder of LAN files: --lans");
    const health = healthPort === undefined ? {} : { healthPort };
    const peersFile = peers === undefined ? {} : { peersFile: resolve(peers) };
    return { ...common, ...health, ...peersFile, standalone, lansDir: resolve(lans) };
  }
  if (lans !== undefined) {
    throw new UsageError("LAN files are read with --standalone; a cluster has LAN objects instead");
  }
  if (peers !== undefined) {
    throw new UsageError("--peers is for --standalone; in a cluster the nodes tell each other");
  }
  if (!isNodeName(node)) {
    throw new UsageError(
      `"${node}" cannot be the name of a node in Kubernetes; name this node with --node`,
    );
  }
  return {
    ...common,
    healthPort: healthPort ?? DEFAULT_AGENT_HEALTH_PORT,
    standalone: false,
    cluster: {
      ...(command.kubeconfig === undefined ? {} : { kubeconfig: resolve(command.kubeconfig) }),
      env: host.env,
      kubeletDir: resolve(command.kubeletDir ?? DEFAULT_KUBELET_DIR),
      cniBinDir: resolve(command.cniBinDir ?? DEFAULT_CNI_BIN_DIR),
    },
  };
}

function clusterOptions({ kubeconfig, kubeletDir, cniBinDir }: AgentCommandOptions) {
  return [
    ["--kubeconfig", kubeconfig],
    ["--kubelet-dir", kubeletDir],
    ["--cni-bin-dir", cniBinDir],
  ] as const;
}
