/** A device plugin as kubelet sees it: a connection to its socket. */

import { devicePluginCodecs } from "../../src/deviceplugin/codec.ts";
import { GrpcClient } from "../../src/deviceplugin/grpc_client.ts";
import type {
  AllocateResponse,
  Device,
  DevicePluginOptions,
} from "../../src/deviceplugin/messages.ts";
import { grpcStream } from "./grpc_stream.ts";

const SERVICE = "/v1beta1.DevicePlugin";
const DEADLINE = { deadline: 10_000 };

export class PluginClient implements Disposable {
  readonly #calls: GrpcClient;
  readonly #watch: Deno.HttpClient;
  readonly #end = new AbortController();

  /** For the plugin at the unix socket `path`. */
  constructor(path: string) {
    this.#calls = new GrpcClient(path);
    this.#watch = Deno.createHttpClient({
      proxy: { transport: "unix", path },
      http1: false,
      http2: true,
    });
  }

  async options(): Promise<DevicePluginOptions> {
    const { empty, options } = devicePluginCodecs();
    const method = `${SERVICE}/GetDevicePluginOptions`;
    return options.decode(await this.#calls.unary(method, empty.encode({}), DEADLINE));
  }

  /** Each list of devices that the plugin sends, until one of the two hangs up. */
  async *listAndWatch(): AsyncGenerator<readonly Device[]> {
    const { empty, devices } = devicePluginCodecs();
    const method = `${SERVICE}/ListAndWatch`;
    for await (
      const message of grpcStream(this.#watch, method, empty.encode({}), this.#end.signal)
    ) {
      yield devices.decode(message).devices;
    }
  }

  /** For containers that want these device IDs each. */
  async allocate(...containers: readonly (readonly string[])[]): Promise<AllocateResponse> {
    const { allocateRequest, allocateResponse } = devicePluginCodecs();
    const message = allocateRequest.encode({
      container_requests: containers.map((devices_ids) => ({ devices_ids })),
    });
    return allocateResponse.decode(
      await this.#calls.unary(`${SERVICE}/Allocate`, message, DEADLINE),
    );
  }

  /** Calls any method with any bytes. */
  async raw(method: string, message: Uint8Array): Promise<Uint8Array> {
    return await this.#calls.unary(`${SERVICE}/${method}`, message, DEADLINE);
  }

  [Symbol.dispose](): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort(); // a client that is closed goes on reading
    this.#calls[Symbol.dispose]();
    this.#watch.close();
  }
}
