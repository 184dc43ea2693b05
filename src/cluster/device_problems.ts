/** What kubelet does not know of the devices that this node offers, for people to read; pure. */

import { textList } from "../base/text_list.ts";
import type { Condition } from "../api/agent_protocol.ts";
import type { DevicePluginState } from "../deviceplugin/device_plugin_manager.ts";

const SHOWN_MAX = 8;

/** `folder` is where kubelet is looked for. */
export function deviceProblems(state: DevicePluginState, folder: string): Condition[] {
  const { kubelet, resources } = state;
  if (resources.size === 0) return [];
  if (!kubelet.present) {
    return [{
      reason: "KubeletAbsent",
      message: `No kubelet listens in "${folder}", so that no new pod gets a device; start it, ` +
        "or give this agent the folder that it has",
    }];
  }
  if (kubelet.problem !== undefined) {
    return [{
      reason: "KubeletUnreachable",
      message: `Cannot register devices with the kubelet in "${folder}": ${kubelet.problem}`,
    }];
  }
  const refused = [...resources].flatMap(([resource, { problem }]) =>
    problem === undefined ? [] : [`"${resource}" (${problem})`]
  );
  if (refused.length === 0) return [];
  return [{
    reason: "DevicesNotOffered",
    message: `Pods cannot get these resources on this node: ${
      textList(refused, { most: SHOWN_MAX, chars: Infinity })
    }`,
  }];
}
