/** One attachment to a LAN: wanted and observed → operations. */

import { completeMark, isComplete, portLink, workloadLink } from "./attached.ts";
import type { Steps } from "./diff.ts";
import { changeLink } from "./diff_link.ts";
import { isPort } from "./diff_vxlan.ts";
import { formatMark, markId } from "./mark.ts";
import type { ObservedLan } from "./observed.ts";
import { HOST } from "./ops.ts";
import type { WantedAttachment, WantedLan, WantedMacvtap, WantedSpoke } from "./wanted.ts";

/**
 * What a complete attachment's workload side looks like is its workload's own business from then
 * on: it may take its interface down, rename it or give it another MTU. Only what is missing is made.
 * Of one that was left half-made, every step is done again: each is harmless where it was done.
 */
export function diffAttachment(
  lan: WantedLan,
  attachment: WantedAttachment,
  observed: ObservedLan,
  bridgeStays: boolean,
  steps: Steps,
): void {
  const { path: at } = lan.netns;
  const { port: name, target } = attachment;
  const found = portLink(lan, attachment, observed);
  const complete = isComplete(lan, attachment, observed);
  // One that was renamed could not be found by those who detach it.
  const isLost = found !== undefined && !complete &&
    (found.name !== name || isFarEndMissing(lan, attachment, observed));
  if (isLost && target !== undefined) steps.host.push({ op: "delete-link", at, name: found.name });
  const port = isLost ? undefined : found;
  if (port === undefined) {
    if (target === undefined) return;
    createPair(lan, attachment, target, observed, steps);
  } else if (attachment.attach === "macvtap") {
    keepMacvtap(lan, attachment, observed, complete, steps);
  } else if (!complete) {
    const inside = workloadLink(lan, attachment, observed);
    if (inside !== undefined) finishVeth(lan, attachment, target!, inside.name, steps);
  }
  if (port === undefined || !bridgeStays || !isPort(port)) {
    steps.lan.push({ op: "join-bridge", at, name, bridge: lan.bridge.name });
  }
  if (port?.up !== true) steps.lan.push({ op: "change-link", at, name, up: true });
  const alias = completeMark(lan, attachment);
  if (port?.alias !== alias) steps.commit.push({ op: "change-link", at, name, alias });
}

/** Was the workload's side looked at, and the port's other end not found where it belongs? */
function isFarEndMissing(
  lan: WantedLan,
  attachment: WantedAttachment,
  observed: ObservedLan,
): boolean {
  const { target } = attachment;
  if (target === undefined || !observed.targets.has(target)) return false;
  return attachment.attach === "macvtap"
    ? !observed.hostLinks.has(attachment.spoke)
    : workloadLink(lan, attachment, observed) === undefined;
}

function linkMark(lan: WantedLan, { spoke }: { readonly spoke?: string }): string {
  return formatMark({ lan: markId(lan.uid), ...(spoke === undefined ? {} : { spoke }) });
}

function createPair(
  lan: WantedLan,
  attachment: WantedAttachment,
  target: string,
  observed: ObservedLan,
  steps: Steps,
): void {
  if (attachment.attach === "macvtap") {
    // Its port was renamed, or it is about to go with a namespace that was removed.
    if (observed.hostLinks.has(attachment.spoke)) {
      steps.host.push({ op: "delete-link", at: HOST, name: attachment.spoke });
    }
    createSpoke(lan, attachment, steps);
    createMacvtap(lan, attachment, target, steps);
    return;
  }
  const { mtu, address, ifname: name } = attachment;
  const peer = peerOf(lan, attachment);
  steps.host.push({ op: "create-veth", at: target, name, mtu, address, peer });
  finishVeth(lan, attachment, target, name, steps);
}

function finishVeth(
  lan: WantedLan,
  attachment: WantedAttachment,
  at: string,
  name: string,
  steps: Steps,
): void {
  steps.target.push({ op: "change-link", at, name, up: true, alias: linkMark(lan, attachment) });
}

/** A spoke's pair as far as the host namespace goes: making its other end a port is not in it. */
export function createSpoke(lan: WantedLan, wanted: WantedSpoke, steps: Steps): void {
  const { spoke: name, index, mtu, address } = wanted;
  const peer = peerOf(lan, wanted);
  const alias = linkMark(lan, wanted);
  steps.host.push({ op: "create-veth", at: HOST, name, index, mtu, address, peer });
  // By index: were the name taken in this very moment, the change must not hit that link.
  steps.host.push({ op: "change-link", at: HOST, name, index, arp: false, alias });
  steps.isolate.push({ op: "isolate-host-end", name });
  steps.hostUp.push({ op: "change-link", at: HOST, name, up: true });
}

function peerOf(
  lan: WantedLan,
  { port: name, portAddress: address, mtu }: Pick<WantedSpoke, "port" | "portAddress" | "mtu">,
) {
  return { at: lan.netns.path, name, mtu, address };
}

function createMacvtap(
  lan: WantedLan,
  attachment: WantedMacvtap,
  target: string,
  steps: Steps,
): void {
  const { spoke, index, ifname: name } = attachment;
  const lower = { name: spoke, index };
  steps.host.push({ op: "create-macvtap", at: target, name, index, lower });
  finishMacvtap(lan, attachment, target, name, steps);
}

function finishMacvtap(
  lan: WantedLan,
  attachment: WantedMacvtap,
  target: string,
  name: string,
  steps: Steps,
): void {
  const { index, owner } = attachment;
  // The workload's own stack must not answer in place of a VM's; an IPv6 address asked for turns it on.
  steps.isolate.push({ op: "disable-ipv6", at: target, name });
  const alias = linkMark(lan, attachment);
  steps.target.push({
    op: "change-link",
    ...{ at: target, name, up: true, allMulticast: true, alias },
  });
  steps.own.push({ op: "own-tap", at: target, name, index, owner });
}

function keepMacvtap(
  lan: WantedLan,
  attachment: WantedMacvtap,
  observed: ObservedLan,
  complete: boolean,
  steps: Steps,
): void {
  const { target, ifname, spoke } = attachment;
  const hostEnd = observed.hostLinks.get(spoke);
  if (hostEnd === undefined) return;
  if (!complete) steps.isolate.push({ op: "isolate-host-end", name: spoke });
  changeLink(steps.hostUp, HOST, hostEnd, { up: true, arp: false });
  if (target === undefined || !observed.targets.has(target)) return;
  const inside = workloadLink(lan, attachment, observed);
  if (inside !== undefined) {
    if (!complete) finishMacvtap(lan, attachment, target, inside.name, steps);
  } else if (!observed.targets.get(target)!.has(ifname)) {
    createMacvtap(lan, attachment, target, steps);
  }
}
