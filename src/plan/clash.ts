/** Names that a LAN needs and something else has: reported, never touched. */

import { K8slanError } from "../base/errors.ts";
import { isComplete, workloadLink } from "./attached.ts";
import { formatMark, markId, parseMark } from "./mark.ts";
import type { ObservedLan } from "./observed.ts";
import type { WantedAttachment, WantedLan } from "./wanted.ts";

/**
 * Throws `K8slanError` when the namespace, a spoke's host end or a workload's interface is not ours,
 * or when a port is somebody else's.
 */
export function requireOurs(wanted: WantedLan, observed: ObservedLan): void {
  requireNetns(wanted, observed);
  for (const attachment of wanted.attachments) {
    const { spoke } = attachment;
    const mark = formatMark({ lan: markId(wanted.uid), ...(spoke === undefined ? {} : { spoke }) });
    const hostEnd = attachment.attach === "macvtap"
      ? observed.hostLinks.get(attachment.spoke)
      : undefined;
    if (hostEnd !== undefined && hostEnd.alias !== mark) {
      throw new K8slanError(
        "LinkClash",
        `Spoke "${spoke}" of LAN "${wanted.lan}" needs the link name "${spoke}" on this node, but a ${
          foreignText(hostEnd.alias)
        } has it; rename or remove that link, or rename the spoke`,
      );
    }
    // What a workload does with an interface that it has must not stand in the way of others.
    if (isComplete(wanted, attachment, observed)) continue;
    requireFree(wanted, attachment, observed);
    requireRoom(wanted, attachment, observed);
  }
}

/** What is attached is never given up for something else. */
function requireFree(
  { lan }: WantedLan,
  { port }: WantedAttachment,
  { links }: ObservedLan,
): void {
  const holder = parseMark(links.get(port)?.alias);
  if (holder?.container === undefined) return;
  throw new K8slanError(
    "SpokeInUse",
    `Port "${port}" of LAN "${lan}" is attached to interface "${holder.ifname}" of container "${holder.container}"; detach that first`,
    { retriable: true },
  );
}

function requireRoom(
  wanted: WantedLan,
  attachment: WantedAttachment,
  observed: ObservedLan,
): void {
  const { target, ifname } = attachment;
  requireWorkload(wanted, observed, target);
  const taken = target === undefined ? undefined : observed.targets.get(target)?.get(ifname);
  if (taken === undefined || taken === workloadLink(wanted, attachment, observed)) return;
  throw new K8slanError(
    "LinkClash",
    `Interface "${ifname}" exists already in network namespace "${target}" and is not part of LAN "${wanted.lan}"; choose another interface name`,
  );
}

/** A LAN's own namespace is no workload's. */
function requireWorkload(
  { lan }: WantedLan,
  { targets }: ObservedLan,
  target: string | undefined,
): void {
  if (target === undefined) return;
  const mark = parseMark(targets.get(target)?.get("lo")?.alias);
  if (mark === undefined) return;
  throw new K8slanError(
    "LanNetns",
    `"${target}" is the network namespace of LAN "${
      mark.name ?? mark.lan
    }" itself, not a workload's; "${lan}" cannot be attached to it`,
  );
}

function requireNetns(wanted: WantedLan, { netns }: ObservedLan): void {
  const { path } = wanted.netns;
  if (netns.state === "foreign") {
    throw new K8slanError(
      "NetnsClash",
      `LAN "${wanted.lan}" needs "${path}" for its network namespace, but found ${netns.found} there; remove it or change spec.ns`,
    );
  }
  if (netns.state === "ours" && netns.mark.lan !== markId(wanted.uid)) {
    throw new K8slanError(
      "NetnsClash",
      `Network namespace "${path}" still belongs to ${
        netns.mark.name === undefined ? "another LAN" : `LAN "${netns.mark.name}"`
      } (UID ${netns.mark.lan}), which has workloads attached; detach them first`,
      { retriable: true },
    );
  }
}

function foreignText(alias: string | undefined): string {
  const mark = parseMark(alias);
  return mark === undefined ? "link that is not ours" : `link of another LAN (UID ${mark.lan})`;
}
