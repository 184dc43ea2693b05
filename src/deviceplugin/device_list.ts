/** The devices of a resource as kubelet is told of them; pure. */

import type { Device } from "./messages.ts";

/** A device that the node offers. */
export interface PluginDevice {
  /** At most 63 characters; unique within its resource. */
  readonly id: string;
  /** False while the device must not be given to another pod. */
  readonly healthy: boolean;
}

/** `devices` as kubelet's messages, in the order of their IDs. */
export function deviceList(devices: readonly PluginDevice[]): readonly Device[] {
  return devices
    .map(({ id, healthy }) => ({ ID: id, health: healthy ? "Healthy" : "Unhealthy" }))
    .sort((a, b) => a.ID < b.ID ? -1 : 1);
}

/** Whether kubelet would learn nothing from `b` when it knows `a`. */
export function sameDevices(a: readonly Device[], b: readonly Device[]): boolean {
  return a.length === b.length &&
    a.every(({ ID, health }, i) => ID === b[i]?.ID && health === b[i]?.health);
}
