/** CNI CHECK: is the interface still what ADD made? */

import { K8slanError } from "../base/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { opText } from "../plan/ops_text.ts";
import { type Attachment, wantedAttachment } from "./attachment.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { LanRegistry } from "./lan_registry.ts";

export interface CheckDependencies {
  readonly node: string;
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly registry: LanRegistry;
}

/** Throws `K8slanError` "Drift" naming the first difference found. */
export function checkAttachment(deps: CheckDependencies, attachment: Attachment): void {
  const { kernel, builder, registry, node } = deps;
  const { lan: name, lanId, ifname, target, details } = attachment;
  const drift = (what: string) => {
    throw new K8slanError("Drift", `Interface "${ifname}" on LAN "${name}": ${what}`);
  };
  const wanted = wantedAttachment(attachment, node);
  const lan = registry.accepted(lanId);
  if (lan === undefined || wanted === undefined || target === undefined) return;
  if (kernel.netnsIdentity(target.path) !== target.identity) {
    return drift(`its network namespace "${target.path}" is gone`);
  }
  const plan = builder.wanted(lan, [wanted]);
  const [missing] = builder.missing(plan);
  if (missing !== undefined) return drift(`this is not so any more: ${opText(missing).join("; ")}`);
  const link = builder.observe(plan.netns.path, [wanted]).targets.get(target.path)?.get(ifname);
  if (link === undefined) return drift("it is missing");
  if (!link.up) drift("it is down");
  if (link.address !== details?.mac) drift(`its address is ${link.address}, not ${details?.mac}`);
  if (link.mtu !== details?.mtu) drift(`its MTU is ${link.mtu}, not ${details?.mtu}`);
  if (attachment.attach === "macvtap" && details?.tapIndex !== undefined) {
    kernel.verifyTap(target.path, ifname, details.tapIndex);
  }
}
