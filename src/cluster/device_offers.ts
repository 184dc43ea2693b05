/** Which devices this node offers to kubelet for the spokes of its LANs; pure. */

import type { KnownLan } from "../agent/lan_registry.ts";
import { RESOURCE_PREFIX } from "../api/names.ts";
import type { PluginDevice } from "../deviceplugin/device_list.ts";
import type { HeldDevice } from "../deviceplugin/pod_resources.ts";
import { underlayName } from "../plan/lan_plan.ts";

/** The extended resource of a spoke, which has one device, named as the spoke. */
export function resourceOf(spoke: string): string {
  return `${RESOURCE_PREFIX}/${spoke}`;
}

/** Whether a device in the hands of a container is that of the spoke. */
export function isDeviceOf(spoke: string): (device: HeldDevice) => boolean {
  return ({ resource, deviceId }) => resource === resourceOf(spoke) && deviceId === spoke;
}

/**
 * The devices that `node` offers, by resource, in the order of their names.
 *
 * A LAN takes part if it is accepted, stays, and names an underlay for this node. While another node
 * has a spoke for itself, its device is unhealthy here, so that the scheduler puts no pod where it
 * could not be attached; a device that is held here stays healthy, or else a pod that comes back after
 * a reboot would be refused.
 */
export function deviceOffers(
  known: Iterable<KnownLan>,
  node: string,
  isTaken: (lanUid: string, spoke: string) => boolean,
): Map<string, readonly PluginDevice[]> {
  const devices: PluginDevice[] = [];
  for (const { lan, verdict } of known) {
    const { metadata: { uid, deletionTimestamp }, spec } = lan;
    if (!verdict.accepted || deletionTimestamp !== undefined) continue;
    if (underlayName(spec, node) === undefined) continue;
    for (const id of spec.spokes) devices.push({ id, healthy: !isTaken(uid, id) });
  }
  devices.sort((a, b) => a.id < b.id ? -1 : 1);
  return new Map(devices.map((device) => [resourceOf(device.id), [device]]));
}
