/** `k8slan attach`: what a container runtime does with CNI ADD, for hosts that have none. */

import type { AddRequest, AttachKind, AttachResult } from "../api/agent_protocol.ts";
import { CNI_TYPE } from "../api/names.ts";
import { K8slanError } from "../base/errors.ts";
import { agentSocket, askAgent } from "./agent_call.ts";
import { ExitCode, UsageError } from "./exit_code.ts";
import type { CliHost } from "./host.ts";
import { containerIdOf, netnsPath } from "./workload.ts";

export interface AttachOptions {
  readonly lan?: string;
  readonly spoke?: string;
  readonly netns: string;
  readonly ifname: string;
  readonly attach?: AttachKind;
  readonly mac?: string;
  readonly mtu?: number;
  readonly socket?: string;
  readonly output: "text" | "json";
}

/** Attaches and prints what was made. Throws `K8slanError` with the agent's reason. */
export async function attach(options: AttachOptions, host: CliHost): Promise<number> {
  const { lan, spoke, ifname } = options;
  if (lan === undefined && spoke === undefined) {
    throw new UsageError("Say what to attach to: --lan, --spoke or both");
  }
  const netns = netnsPath(options.netns, Deno.cwd());
  const containerId = containerIdOf(netns);
  const request: AddRequest = {
    op: "add",
    containerId,
    ifname,
    netns,
    config: {
      cniVersion: "1.1.0",
      // The name of the network, by which a runtime's GC tells its own attachments from these.
      name: "k8slan-cli",
      type: CNI_TYPE,
      lan,
      spoke,
      attach: options.attach,
      mac: options.mac,
      mtu: options.mtu,
    },
  };
  const answer = await askAgent(agentSocket(options.socket, host), request);
  const result = decodeAttachResult(answer);
  host.out(
    options.output === "json"
      ? `${JSON.stringify({ ...result, id: containerId }, null, 2)}\n`
      : `${textOf(result)}\n`,
  );
  return ExitCode.Ok;
}

function textOf({ ifname, netns, lan, spoke, attach, mac, mtu, tap }: AttachResult): string {
  const where = spoke === undefined ? `LAN "${lan}"` : `spoke "${spoke}" of LAN "${lan}"`;
  const device = tap === undefined ? "" : `, ${tap}`;
  return `Attached "${ifname}" in "${netns}" to ${where}: ${attach}, ${mac}, MTU ${mtu}${device}`;
}

function decodeAttachResult(value: unknown): AttachResult {
  if (typeof value === "object" && value !== null) {
    const found = value as AttachResult;
    if (typeof found.ifname === "string" && typeof found.lan === "string") return found;
  }
  throw new K8slanError(
    "AgentRefused",
    "Agent did not say what it made; run the same version of agent and command line",
  );
}
