/** What kubelet gets for the devices that it gives to a pod's containers; pure. */

import { GrpcError } from "./grpc_error.ts";
import type { AllocateRequest, AllocateResponse, DeviceSpec } from "./messages.ts";

const SHOWN_MAX = 64;

/**
 * The answer to `request`: for each container the device files of its device IDs, under the same
 * path as on the host, to be read and written. Nothing is created here: the device file need not
 * exist before the container is. `pathOf` knows the path of a device ID, and undefined if there is
 * no such device; then GrpcError InvalidArgument is thrown.
 */
export function allocate(
  request: AllocateRequest,
  pathOf: (deviceId: string) => string | undefined,
): AllocateResponse {
  return {
    container_responses: request.container_requests.map(({ devices_ids }) => ({
      devices: [...new Set(devices_ids)].map((id) => deviceSpec(id, pathOf(id))),
    })),
  };
}

function deviceSpec(id: string, path: string | undefined): DeviceSpec {
  if (path === undefined) {
    const shown = JSON.stringify(id.slice(0, SHOWN_MAX).toWellFormed());
    throw new GrpcError("InvalidArgument", `There is no device ${shown} of this resource here`);
  }
  return { container_path: path, host_path: path, permissions: "rw" };
}
