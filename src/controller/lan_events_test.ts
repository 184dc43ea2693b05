import { deepEqual } from "node:assert/strict";
import type { LanStatus } from "../api/lan_status.ts";
import { lanEvents } from "./lan_events.ts";

const STATUSES = ["True", "False", "Unknown"] as const;

/** Conditions as in `Accepted=True/Accepted`, in one text. */
function statusOf(text: string): LanStatus {
  return {
    conditions: text.split(" ").filter((part) => part !== "").map((part) => {
      const [type = "", status, reason = ""] = part.split(/[=/]/);
      return {
        ...{
          type,
          status: STATUSES.find((one) => one === status) ?? "False",
          reason,
          message: "m",
        },
        lastTransitionTime: "2026-02-01T00:00:00Z",
      };
    }),
  };
}

const TABLE: readonly (readonly [string, string, string])[] = [
  ["", "Accepted=True/Accepted", "Normal Accepted"],
  ["Accepted=True/Accepted", "Accepted=True/Accepted", ""],
  ["Accepted=True/Accepted", "Accepted=False/Conflict", "Warning Conflict"],
  ["Accepted=False/Conflict", "Accepted=False/Invalid", "Warning Invalid"],
  ["", "NetworksReady=False/Pending", ""],
  ["NetworksReady=False/Pending", "NetworksReady=True/Ready", "Normal NetworksReady"],
  ["", "NetworksReady=False/MultusMissing", "Warning MultusMissing"],
  ["NetworksReady=True/Ready", "NetworksReady=False/NameTaken", "Warning NameTaken"],
  ["NetworksReady=True/Ready", "NetworksReady=False/Pending", ""],
  ["", "NodesReady=True/NothingAttached", ""],
  ["NodesReady=True/NothingAttached", "NodesReady=True/Ready", ""],
  ["NodesReady=True/Ready", "NodesReady=False/Degraded", "Warning Degraded"],
  ["NodesReady=False/Degraded", "NodesReady=True/Ready", "Normal Recovered"],
  ["NodesReady=True/Ready", "NodesReady=False/SpokeShared", "Warning SpokeShared"],
  ["NodesReady=False/Degraded", "NodesReady=False/SpokeShared", "Warning SpokeShared"],
  ["NodesReady=False/SpokeShared", "NodesReady=True/Ready", "Normal Recovered"],
  ["InUse=False/NothingAttached", "InUse=True/Attached", ""],
  ["", "Connected=Unknown/NothingAttached", ""],
  ["Connected=Unknown/Probing", "Connected=True/Verified", "Normal Connected"],
  ["Connected=True/Verified", "Connected=False/OneWay", "Warning OneWay"],
  ["Connected=False/OneWay", "Connected=False/Unreachable", "Warning Unreachable"],
  ["Connected=False/Unreachable", "Connected=True/Verified", "Normal Connected"],
  ["Connected=True/Verified", "Connected=Unknown/AgentStopped", ""],
  ["Ready=True/Ready", "Ready=False/Degraded", ""],
  ["Ready=True/Ready", "Ready=False/Deleting", "Normal Deleting"],
  [
    "Accepted=False/Conflict NetworksReady=False/Pending",
    "Accepted=True/Accepted NetworksReady=True/Ready",
    "Normal Accepted, Normal NetworksReady",
  ],
];

for (const [before, after, wanted] of TABLE) {
  Deno.test(`lanEvents() from "${before}" to "${after}"`, () => {
    const events = lanEvents(before === "" ? undefined : statusOf(before), statusOf(after));
    deepEqual(events.map(({ type, reason }) => `${type} ${reason}`).join(", "), wanted);
  });
}
