/** The one place where an error becomes an answer with a CNI code. */

import { describe, K8slanError } from "../base/errors.ts";
import { type AgentFailure, CniCode } from "../api/agent_protocol.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { SyscallError } from "../sys/syscall_error.ts";

const CODES: ReadonlyMap<string, number> = new Map([
  ["InvalidConfig", CniCode.InvalidConfig],
  ["InvalidRequest", CniCode.Decode],
  ["UnknownContainer", CniCode.UnknownContainer],
  ["NetnsNotFound", CniCode.InvalidEnvironment],
  ["HostNetns", CniCode.InvalidEnvironment],
  ["LanNetns", CniCode.InvalidEnvironment],
  ["Drift", CniCode.Drift],
  ["LinkClash", CniCode.Clash],
  ["NetnsClash", CniCode.Clash],
  ["VniClash", CniCode.Clash],
  ["PortClash", CniCode.Clash],
  ["TapClash", CniCode.TryAgainLater],
  ["TapMissing", CniCode.Kernel],
]);

export function toFailure(error: unknown): AgentFailure {
  if (error instanceof K8slanError) {
    const code = CODES.get(error.code) ??
      (error.retriable ? CniCode.TryAgainLater : CniCode.Refused);
    const cause = error.cause === undefined ? {} : { details: describe(error.cause) };
    return { code, msg: error.message, ...cause };
  }
  const code = error instanceof NetlinkError || error instanceof SyscallError
    ? CniCode.Kernel
    : CniCode.Internal;
  return { code, msg: describe(error) };
}
