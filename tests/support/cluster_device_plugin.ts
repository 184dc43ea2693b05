/** A device plugin for a resource of any name, to try a node's kubelet. */

import { DevicePluginServer } from "../../src/deviceplugin/device_plugin_server.ts";
import { kubeletSocket } from "../../src/deviceplugin/plugin_folder.ts";
import { Registration } from "../../src/deviceplugin/register.ts";
import { LogRecorder } from "./log_recorder.ts";

/** Any device file that every machine has. */
const DEVICE = "/dev/net/tun";

/** Serves `devices` of `resource` beside kubelet's socket in `folder`, and registers there. */
export async function startDevicePlugin(
  folder: string,
  resource: string,
  devices: readonly string[],
): Promise<Disposable> {
  const endpoint = `${resource.replaceAll(/[^a-z0-9]/g, "-")}.sock`;
  const server = new DevicePluginServer({
    path: `${folder}/${endpoint}`,
    devices: devices.map((id) => ({ id, healthy: true })),
    pathOf: () => DEVICE,
    log: new LogRecorder(),
    counters: { lists: 0, allocations: 0 },
  });
  server.listen();
  const registration = new Registration(kubeletSocket(folder));
  await registration.register(resource, endpoint, new AbortController().signal);
  return server;
}
