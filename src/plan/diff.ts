/**
 * Wanted and observed state of a LAN on a node → the operations that turn one into the other.
 *
 * The order serves two ends: operations in one namespace stand together, so that they travel in one
 * message; and the mark that says "attached" comes last, so that a crash at any point leaves either
 * a complete attachment or one that is known to be incomplete.
 */

import type { LinkInfo } from "../netlink/link_info.ts";
import { diffAttachment } from "./diff_attachment.ts";
import { diffFilters } from "./diff_filters.ts";
import { changeLink } from "./diff_link.ts";
import { diffVxlan } from "./diff_vxlan.ts";
import { BRIDGE_INDEX } from "./identity.ts";
import { formatMark, markId } from "./mark.ts";
import { requireOurs } from "./clash.ts";
import type { ObservedLan } from "./observed.ts";
import { AGEING_SECONDS, type NetOp } from "./ops.ts";
import type { WantedLan } from "./wanted.ts";

/** Operations by the step they belong to. */
export interface Steps {
  readonly host: NetOp[];
  readonly isolate: NetOp[];
  /** Before ports are up: nothing passes unfiltered. */
  readonly filter: NetOp[];
  readonly lan: NetOp[];
  readonly target: NetOp[];
  readonly hostUp: NetOp[];
  readonly own: NetOp[];
  readonly commit: NetOp[];
}

/**
 * What is to be done, in order; empty when nothing is.
 *
 * Throws `K8slanError` ("NetnsClash", "LinkClash") before anything is done when a name that the LAN
 * needs is taken by something without its mark.
 */
export function diff(wanted: WantedLan, observed: ObservedLan): NetOp[] {
  requireOurs(wanted, observed);
  const path = wanted.netns.path;
  const isThere = observed.netns.state === "ours";
  const links: ReadonlyMap<string, LinkInfo> = isThere ? observed.links : new Map();
  const steps = newSteps();
  const lo = links.get("lo");
  if (isThere && lo?.up !== true) {
    steps.lan.push({ op: "change-link", at: path, name: "lo", up: true });
  }
  const bridge = links.get(wanted.bridge.name);
  const usable = bridge?.attrs.kind === "bridge" && bridge.index === BRIDGE_INDEX;
  if (usable) keepBridge(wanted, bridge, steps);
  else createBridge(wanted, links, steps);
  // A new bridge has no ports yet, whatever the links said of the old one.
  diffVxlan(wanted, { ...observed, links }, usable, steps);
  for (const attachment of wanted.attachments) {
    diffAttachment(wanted, attachment, { ...observed, links }, usable, steps);
  }
  diffFilters(wanted, links, isThere ? observed.filters : undefined, steps);
  return [
    ...(isThere ? [] : [{ op: "create-netns", path, mark: wanted.netns.mark } as const]),
    ...inOrder(steps),
  ];
}

export function newSteps(): Steps {
  return {
    host: [],
    isolate: [],
    filter: [],
    lan: [],
    target: [],
    hostUp: [],
    own: [],
    commit: [],
  };
}

export function inOrder(steps: Steps): NetOp[] {
  const { host, isolate, filter, lan, target, hostUp, own, commit } = steps;
  return [host, isolate, filter, lan, target, hostUp, own, commit].flat();
}

function createBridge(
  { netns: { path: at }, bridge: { name, address }, uid, mtu }: WantedLan,
  links: ReadonlyMap<string, LinkInfo>,
  steps: Steps,
): void {
  for (const link of links.values()) {
    // In the way, by its name or, when the bridge was renamed, by its index.
    if (link.name !== name && link.index !== BRIDGE_INDEX) continue;
    steps.lan.push({ op: "delete-link", at, name: link.name });
  }
  const alias = formatMark({ lan: markId(uid) });
  steps.lan.push({ op: "create-bridge", at, name, index: BRIDGE_INDEX, mtu, address });
  steps.lan.push({ op: "change-link", at, name, up: true, alias });
}

function keepBridge(wanted: WantedLan, bridge: LinkInfo, steps: Steps): void {
  const { netns: { path: at }, uid, mtu, bridge: { address } } = wanted;
  const { attrs, name } = bridge;
  if (
    attrs.kind === "bridge" &&
    (attrs.stp || attrs.multicastSnooping || attrs.ageingSeconds !== AGEING_SECONDS)
  ) {
    steps.lan.push({ op: "set-bridge", at, name });
  }
  const alias = formatMark({ lan: markId(uid) });
  changeLink(steps.lan, at, bridge, { up: true, mtu, address, alias });
}

/** Everything that takes a LAN off a node on which nothing is attached to it any more. */
export function removal(wanted: Pick<WantedLan, "netns">, links: Iterable<LinkInfo>): NetOp[] {
  const { path } = wanted.netns;
  // The namespace dies some time after it was unbound; its VNI must be free at once.
  const vxlans = [...links].filter(({ attrs }) => attrs.kind === "vxlan");
  return [
    ...vxlans.map(({ name }) => ({ op: "delete-link", at: path, name }) as const),
    { op: "delete-netns", path },
  ];
}

/** Everything that takes one attachment away: either end of a veth pair ends all of it. */
export function detachment(
  { links, filters }: Pick<ObservedLan, "links" | "hostLinks" | "filters">,
  netnsPath: string,
  port: string,
): NetOp[] {
  const at = netnsPath;
  return [
    ...(links.has(port) ? [{ op: "delete-link", at, name: port } as const] : []),
    // Some kernels let it go with the link, others keep it for the next of that name.
    ...(filters?.has(port) ? [{ op: "unfilter-port", at, name: port } as const] : []),
  ];
}
