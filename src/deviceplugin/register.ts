/** Kubelet's `v1beta1.Registration`. */

import { devicePluginCodecs } from "./codec.ts";
import { GrpcClient } from "./grpc_client.ts";

/** Kubelet answers only after it has called back, for which it takes 10 s at most. */
const DEADLINE_MS = 15_000;

/**
 * Tells the kubelet that listens at `socket` of a resource, and of the file name in the same folder
 * at which its server listens already: kubelet calls back before it answers. Throws GrpcError.
 */
export async function register(
  socket: string,
  resource: string,
  endpoint: string,
  signal: AbortSignal,
): Promise<void> {
  const request = devicePluginCodecs().register.encode({
    version: "v1beta1",
    endpoint,
    resource_name: resource,
    options: null,
  });
  using client = new GrpcClient(socket);
  const options = { deadline: DEADLINE_MS, signal };
  await client.unary("/v1beta1.Registration/Register", request, options);
}
