/** Kubelet's `v1beta1.Registration`. */

import { devicePluginCodecs } from "./codec.ts";
import { GrpcClient } from "./grpc_client.ts";

/** Kubelet answers only after it has called back, for which it takes 10 s at most. */
const DEADLINE_MS = 15_000;

/** A connection, and how many calls are under way on it. */
interface Shared {
  readonly client: GrpcClient;
  calls: number;
}

/**
 * Registers resources with the kubelet that listens at a socket. Hundreds of them come together: calls
 * share a connection until none is under way, or one has failed.
 */
export class Registration {
  readonly #socket: string;
  #shared: Shared | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /**
   * Tells kubelet of a resource, and of the file name in the socket's folder at which its server listens
   * already: kubelet calls back before it answers. Throws GrpcError.
   */
  async register(resource: string, endpoint: string, signal: AbortSignal): Promise<void> {
    const request = devicePluginCodecs().register.encode({
      version: "v1beta1",
      endpoint,
      resource_name: resource,
      options: null,
    });
    const shared = this.#shared ??= { client: new GrpcClient(this.#socket), calls: 0 };
    shared.calls++;
    try {
      const options = { deadline: DEADLINE_MS, signal };
      await shared.client.unary("/v1beta1.Registration/Register", request, options);
    } catch (error) {
      // It may be the connection's fault: the next call makes another one.
      this.#leave(shared);
      throw error;
    } finally {
      shared.calls--;
      if (shared.calls === 0) {
        this.#leave(shared);
        shared.client[Symbol.dispose]();
      }
    }
  }

  #leave(shared: Shared): void {
    if (this.#shared === shared) this.#shared = undefined;
  }
}
