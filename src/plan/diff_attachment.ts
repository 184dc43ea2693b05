/** One attachment to a LAN: wanted and observed → operations. */

import type { Steps } from "./diff.ts";
import { changeLink } from "./diff_link.ts";
import { isPort } from "./diff_vxlan.ts";
import { formatMark, markId } from "./mark.ts";
import type { ObservedLan } from "./observed.ts";
import { HOST } from "./ops.ts";
import type { WantedAttachment, WantedLan, WantedMacvtap, WantedSpoke } from "./wanted.ts";

/**
 * What a complete attachment's workload side looks like is its workload's own business from then
 * on: it may take its interface down or give it another MTU. Only what is missing is made.
 */
export function diffAttachment(
  lan: WantedLan,
  attachment: WantedAttachment,
  observed: ObservedLan,
  bridgeStays: boolean,
  steps: Steps,
): void {
  const { path: at } = lan.netns;
  const { port: name } = attachment;
  const port = observed.links.get(name);
  if (port === undefined) {
    if (attachment.target === undefined) return;
    createPair(lan, attachment, attachment.target, steps);
  } else if (attachment.attach === "macvtap") {
    keepMacvtap(lan, attachment, observed, steps);
  }
  if (port === undefined || !bridgeStays || !isPort(port)) {
    steps.lan.push({ op: "join-bridge", at, name, bridge: lan.bridge.name });
  }
  if (port?.up !== true) steps.lan.push({ op: "change-link", at, name, up: true });
  const alias = completeMark(lan, attachment);
  if (port?.alias !== alias) steps.commit.push({ op: "change-link", at, name, alias });
}

/** The mark that makes an attachment count. */
export function completeMark(lan: Pick<WantedLan, "uid">, attachment: WantedAttachment): string {
  const { spoke, containerId, ifname, attach } = attachment;
  return formatMark({
    lan: markId(lan.uid),
    ...(spoke === undefined ? {} : { spoke }),
    container: containerId,
    ifname,
    attach,
  });
}

function linkMark(lan: WantedLan, { spoke }: { readonly spoke?: string }): string {
  return formatMark({ lan: markId(lan.uid), ...(spoke === undefined ? {} : { spoke }) });
}

function createPair(
  lan: WantedLan,
  attachment: WantedAttachment,
  target: string,
  steps: Steps,
): void {
  if (attachment.attach === "macvtap") {
    createSpoke(lan, attachment, steps);
    createMacvtap(lan, attachment, target, steps);
    return;
  }
  const { mtu, address, ifname: name } = attachment;
  const peer = peerOf(lan, attachment);
  steps.host.push({ op: "create-veth", at: target, name, mtu, address, peer });
  const alias = linkMark(lan, attachment);
  steps.target.push({ op: "change-link", at: target, name, up: true, alias });
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
  const { spoke, index, ifname: name, owner } = attachment;
  const lower = { name: spoke, index };
  steps.host.push({ op: "create-macvtap", at: target, name, index, lower });
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
  steps: Steps,
): void {
  const hostEnd = observed.hostLinks.get(attachment.spoke);
  if (hostEnd === undefined) return;
  const { target, ifname } = attachment;
  const inside = target === undefined ? undefined : observed.targets.get(target);
  if (target !== undefined && inside !== undefined && !inside.has(ifname)) {
    createMacvtap(lan, attachment, target, steps);
  }
  changeLink(steps.hostUp, HOST, hostEnd, { up: true, arp: false });
}
