import assert from "node:assert/strict";
import { CniCode } from "../api/agent_protocol.ts";
import { EINVAL } from "../base/errno.ts";
import { K8slanError } from "../base/errors.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { SyscallError } from "../sys/syscall_error.ts";
import { toFailure } from "./failure.ts";

const refusal = (code: string, retriable = false) =>
  new K8slanError(code, "so it is", { retriable });

const codes: readonly (readonly [string, unknown, number])[] = [
  ["a bad configuration", refusal("InvalidConfig"), CniCode.InvalidConfig],
  ["a bad request", refusal("InvalidRequest"), CniCode.Decode],
  ["an unknown container", refusal("UnknownContainer"), CniCode.UnknownContainer],
  ["a missing namespace", refusal("NetnsNotFound"), CniCode.InvalidEnvironment],
  ["the host's namespace", refusal("HostNetns"), CniCode.InvalidEnvironment],
  ["a LAN's namespace", refusal("LanNetns"), CniCode.InvalidEnvironment],
  ["drift", refusal("Drift"), CniCode.Drift],
  ["a link in the way", refusal("LinkClash"), CniCode.Clash],
  ["a namespace in the way", refusal("NetnsClash", true), CniCode.Clash],
  ["a VNI in the way", refusal("VniClash", true), CniCode.Clash],
  ["a port in the way", refusal("PortClash", true), CniCode.Clash],
  ["a tap in the way", refusal("TapClash", true), CniCode.TryAgainLater],
  ["a tap without device", refusal("TapMissing"), CniCode.Kernel],
  ["what may be different later", refusal("SpokeInUse", true), CniCode.TryAgainLater],
  ["a LAN that is not there yet", refusal("LanNotFound", true), CniCode.TryAgainLater],
  ["what somebody has to change", refusal("NamespaceNotAllowed"), CniCode.Refused],
  ["a code that is not in the table", refusal("constructor"), CniCode.Refused],
  ["a netlink error", new NetlinkError("x", EINVAL, undefined), CniCode.Kernel],
  ["a system call's error", new SyscallError("x", EINVAL), CniCode.Kernel],
  ["a bug", new TypeError("oops"), CniCode.Internal],
  ["what is no error", "oops", CniCode.Internal],
];

for (const [what, error, code] of codes) {
  Deno.test(`toFailure() gives ${what} its code`, () => {
    assert.equal(toFailure(error).code, code);
  });
}

Deno.test("toFailure() gives the cause of a refusal as details", () => {
  const cause = new NetlinkError("create a link", EINVAL, "Too many");
  assert.deepEqual(toFailure(new K8slanError("VniClash", "VNI 222 is in use", { cause })), {
    code: CniCode.Clash,
    msg: "VNI 222 is in use",
    details: "Cannot create a link: EINVAL (Too many)",
  });
});

Deno.test("toFailure() gives the whole chain of an error that nobody foresaw", () => {
  const error = new Error("outside", { cause: new Error("inside") });
  assert.deepEqual(toFailure(error), { code: CniCode.Internal, msg: "outside: inside" });
});
