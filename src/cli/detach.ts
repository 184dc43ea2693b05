/** `k8slan detach`: what a container runtime does with CNI DEL. */

import { agentSocket, askAgent } from "./agent_call.ts";
import { ExitCode, UsageError } from "./exit_code.ts";
import type { CliHost } from "./host.ts";
import { containerIdOf, netnsPath } from "./workload.ts";

export interface DetachOptions {
  readonly netns?: string;
  readonly id?: string;
  readonly ifname: string;
  readonly socket?: string;
  readonly output: "text" | "json";
}

/** Detaches; success too when nothing was attached, which the agent does not tell apart. */
export async function detach(options: DetachOptions, host: CliHost): Promise<number> {
  const { ifname, id } = options;
  if ((options.netns === undefined) === (id === undefined)) {
    throw new UsageError("Say what to detach: either --netns or --id");
  }
  const netns = options.netns === undefined ? undefined : netnsPath(options.netns, Deno.cwd());
  const containerId = id ?? containerIdOf(netns ?? "");
  const where = netns === undefined ? {} : { netns };
  await askAgent(agentSocket(options.socket, host), { op: "del", containerId, ifname, ...where });
  host.out(
    options.output === "json"
      ? `${JSON.stringify({ id: containerId, ifname, ...where }, null, 2)}\n`
      : `Interface "${ifname}" of "${netns ?? containerId}" is detached\n`,
  );
  return ExitCode.Ok;
}
