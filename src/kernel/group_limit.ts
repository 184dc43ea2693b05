/** The kernel's limits on multicast groups, in words: all LANs of one UDP port share one socket. */

import { K8slanError } from "../base/errors.ts";
import { NetlinkError } from "../netlink/errors.ts";
import type { NetOp } from "../plan/ops.ts";

/** IPv6 takes the memory of a socket's options, IPv4 has a number. */
const LIMITS: ReadonlySet<string> = new Set(["ENOMEM", "ENOBUFS"]);

/** The error for a VXLAN that could not join its group; undefined when the refusal is about something else. */
export function groupLimit(error: unknown, ops: readonly NetOp[]): K8slanError | undefined {
  const wanted = ops.find((op) => op.op === "create-vxlan");
  if (!(error instanceof NetlinkError) || !LIMITS.has(error.errnoName)) return undefined;
  if (wanted?.group === undefined || !error.message.includes(`"${wanted.name}"`)) return undefined;
  const { group, port, underlay } = wanted;
  return new K8slanError(
    "GroupLimit",
    `Multicast group "${group}" cannot be joined on underlay device "${underlay.name}": the LANs on UDP port ${port} of this node have joined as many different groups as the kernel allows; raise net.core.optmem_max, or create LANs with one spec.vxlanGrp for all or with another spec.vxlanPort`,
    { cause: error, retriable: true },
  );
}
