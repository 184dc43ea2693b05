/** What became of a LAN, for people who look at its events: transitions only, never states. */

import type { LanCondition, LanStatus } from "../api/lan_status.ts";
import type { EventText } from "../kube/event_recorder.ts";

/** The events of the step from one status to the next; in the order of the conditions. */
export function lanEvents(
  before: LanStatus | undefined,
  after: LanStatus,
): readonly EventText[] {
  return (after.conditions ?? []).flatMap((now) => {
    const old = before?.conditions?.find(({ type }) => type === now.type);
    if (old?.status === now.status && old.reason === now.reason) return [];
    return eventOf(now, old) ?? [];
  });
}

function eventOf(now: LanCondition, old: LanCondition | undefined): EventText | undefined {
  const { type, status, reason, message: note } = now;
  switch (type) {
    case "Accepted":
      return {
        ...(status === "True" ? NORMAL : WARNING),
        ...{ reason, action: "Accept", note },
      };
    case "NetworksReady":
      if (status === "True") {
        return { ...NORMAL, reason: "NetworksReady", action: "MakeNetworks", note };
      }
      // That it is under way, or not due, is no news.
      return reason === "Pending"
        ? undefined
        : { ...WARNING, reason, action: "MakeNetworks", note };
    case "NodesReady":
      if (status === "False") return { ...WARNING, reason, action: "WatchNodes", note };
      return old?.status === "False"
        ? { ...NORMAL, reason: "Recovered", action: "WatchNodes", note }
        : undefined;
    case "Connected":
      if (status === "False") return { ...WARNING, reason, action: "ProbeNodes", note };
      return status === "True"
        ? { ...NORMAL, reason: "Connected", action: "ProbeNodes", note }
        : undefined;
    case "Ready":
      return reason === "Deleting" ? { ...NORMAL, reason, action: "Delete", note } : undefined;
    default:
      return undefined;
  }
}

const NORMAL = { type: "Normal" } as const;
const WARNING = { type: "Warning" } as const;
