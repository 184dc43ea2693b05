/** `SPOKE=NETNS[:IFNAME][,KIND]`, as `plan --attach` takes it. */

import type { AttachKind } from "../api/agent_protocol.ts";
import { UsageError } from "./exit_code.ts";
import { netnsPath } from "./workload.ts";

export interface AttachSpec {
  readonly spoke: string;
  /** Path of the workload's namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly attach: AttachKind;
}

const FORM = /^([^=]+)=(.+?)(?::([^:/,\s]{1,15}))?(?:,(macvtap|veth))?$/;

/** Throws `UsageError` for anything else. */
export function parseAttachSpec(text: string, cwd: string): AttachSpec {
  const [, spoke, netns, ifname = "net1", kind] = FORM.exec(text) ?? [];
  if (spoke === undefined || netns === undefined) {
    throw new UsageError(`--attach "${text}" is not of the form SPOKE=NETNS[:IFNAME][,veth]`);
  }
  return {
    ...{ spoke, ifname },
    netns: netnsPath(netns, cwd),
    attach: kind === "veth" ? "veth" : "macvtap",
  };
}
