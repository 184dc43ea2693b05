/** What a LAN consists of on a node that has nothing of it yet: for people to read, or to type. */

import type { Lan } from "../api/lan.ts";
import { diff, inOrder, newSteps } from "./diff.ts";
import { createSpoke } from "./diff_attachment.ts";
import { derivedMac, portName, tapIndex } from "./identity.ts";
import { markId } from "./mark.ts";
import type { ObservedLan } from "./observed.ts";
import type { NetOp } from "./ops.ts";
import { portFilter } from "./protection.ts";
import type { WantedLan, WantedSpoke } from "./wanted.ts";

/** A node without anything of the LAN. */
const NOTHING: ObservedLan = {
  netns: { state: "absent" },
  links: new Map(),
  hostLinks: new Map(),
  targets: new Map(),
  forwarding: [],
};

/** The LAN with its attachments, on a node that has nothing of it. */
export function lanOps(wanted: WantedLan): NetOp[] {
  return diff(wanted, NOTHING);
}

/**
 * The pair of links of a spoke to which nothing is attached, after `lanOps`. The agent makes a pair
 * together with what is attached to it, so its port bears no mark of an attachment here.
 */
export function spokeOps(wanted: WantedLan, spoke: WantedSpoke): NetOp[] {
  const steps = newSteps();
  createSpoke(wanted, spoke, steps);
  const { netns: { path: at }, bridge } = wanted;
  const { port: name } = spoke;
  const filter = wanted.protection && portFilter(wanted.protection, spoke.address);
  if (filter !== undefined) {
    steps.filter.push({ op: "filter-port", at, name, replaces: false, ...filter });
  }
  steps.lan.push({ op: "join-bridge", at, name, bridge: bridge.name });
  steps.lan.push({ op: "change-link", at, name, up: true });
  return inOrder(steps);
}

/** What follows for a spoke from its name, as the agent has it where no other macvtap is in the way. */
export function spokePlan(lan: Lan, node: string, spoke: string, mtu: number): WantedSpoke {
  const lanId = markId(lan.metadata.uid);
  const port = portName(spoke);
  return {
    ...{ spoke, port, mtu },
    index: tapIndex(node, spoke, 0),
    portAddress: derivedMac(lanId, node, port),
    address: derivedMac(lanId, spoke),
  };
}
