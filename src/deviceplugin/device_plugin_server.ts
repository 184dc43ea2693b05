/** The device plugin of one resource: kubelet's `v1beta1.DevicePlugin` behind a unix socket. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { allocate } from "./allocate.ts";
import { devicePluginCodecs } from "./codec.ts";
import { deviceList, type PluginDevice, sameDevices } from "./device_list.ts";
import { type GrpcCall, unary } from "./grpc_call.ts";
import { GrpcListener } from "./grpc_listener.ts";
import type { AllocateRequest, AllocateResponse, Device, DevicePluginOptions } from "./messages.ts";

const SERVICE = "/v1beta1.DevicePlugin";

/** Neither of the optional calls is implemented: kubelet must not make them. */
const OPTIONS: DevicePluginOptions = {
  pre_start_required: false,
  get_preferred_allocation_available: false,
};

/** Kubelet needs a few milliseconds to write down an empty list and to hang up. */
const WITHDRAW_GRACE_MS = 2_000;

/** What servers did so far; many may share one. */
export interface PluginCounters {
  /** Device lists sent to kubelet. */
  lists: number;
  /** Allocate calls, answered or refused. */
  allocations: number;
}

export interface DevicePluginServerOptions {
  /** Of the socket; its folder must exist. */
  readonly path: string;
  readonly devices: readonly PluginDevice[];
  /** The device file that kubelet is promised for a device; undefined if it has none. */
  readonly pathOf: (deviceId: string) => string | undefined;
  /** Called for each device that kubelet gives to a pod; of which pod, kubelet doesn't say. */
  readonly allocated?: (deviceId: string) => void;
  readonly log: Log;
  readonly counters: PluginCounters;
  /** Called after kubelet has begun or ended to watch. */
  readonly watchersChanged?: () => void;
}

export class DevicePluginServer implements Disposable {
  readonly #listener: GrpcListener;
  readonly #pathOf: (deviceId: string) => string | undefined;
  readonly #allocated: (deviceId: string) => void;
  readonly #watchersChanged: () => void;
  readonly #watchers = new Set<Watcher>();
  readonly #log: Log;
  readonly #counters: PluginCounters;
  #devices: readonly Device[];

  constructor(options: DevicePluginServerOptions) {
    this.#devices = deviceList(options.devices);
    this.#log = options.log;
    this.#counters = options.counters;
    this.#pathOf = options.pathOf;
    this.#allocated = options.allocated ?? (() => {});
    this.#watchersChanged = options.watchersChanged ?? (() => {});
    const { empty, options: optionsCodec, allocateRequest, allocateResponse } =
      devicePluginCodecs();
    this.#listener = new GrpcListener(
      options.path,
      new Map([
        [`${SERVICE}/GetDevicePluginOptions`, unary(empty, optionsCodec, () => OPTIONS)],
        [`${SERVICE}/ListAndWatch`, (call: GrpcCall) => this.#watch(call)],
        [
          `${SERVICE}/Allocate`,
          unary(allocateRequest, allocateResponse, (request) => this.#allocate(request)),
        ],
      ]),
    );
  }

  /** How many streams kubelet has open; one, but for the moments after it registers anew. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Serves; called again, makes the socket file anew while kubelet's streams stay open. */
  listen(): void {
    this.#listener.listen();
  }

  /** Tells kubelet of `devices` if that is news to it. */
  setDevices(devices: readonly PluginDevice[]): void {
    this.#devices = deviceList(devices);
    for (const watcher of this.#watchers) watcher.offer(this.#devices);
  }

  /**
   * Takes the resource from the node, then closes. An end of the stream alone would leave its
   * capacity for five minutes: kubelet takes it for a failure that may pass. After an empty list
   * the capacity is 0 at once.
   */
  async withdraw(): Promise<void> {
    this.setDevices([]);
    for (const watcher of this.#watchers) watcher.end();
    await this.#listener.drain(WITHDRAW_GRACE_MS);
  }

  /** Closes as it is: kubelet counts the devices as unhealthy until they are registered again. */
  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
  }

  #watch(call: GrpcCall): void {
    const watcher = new Watcher(call, this.#counters);
    call.onClosed = () => {
      if (this.#watchers.delete(watcher)) this.#watchersChanged();
    };
    this.#watchers.add(watcher);
    watcher.offer(this.#devices);
    this.#watchersChanged();
  }

  #allocate(request: AllocateRequest): AllocateResponse {
    this.#counters.allocations++;
    try {
      const answer = allocate(request, (id) => this.#has(id) ? this.#pathOf(id) : undefined);
      for (const { devices_ids } of request.container_requests) {
        devices_ids.forEach(this.#allocated);
      }
      return answer;
    } catch (error) {
      this.#log.warn("Allocate refused", { error: describe(error) });
      throw error;
    }
  }

  #has(id: string): boolean {
    return this.#devices.some(({ ID }) => ID === id);
  }
}

/** One open ListAndWatch; a kubelet that does not read gets the newest list when it does. */
class Watcher {
  readonly #call: GrpcCall;
  readonly #counters: PluginCounters;
  #newest: readonly Device[] | undefined;
  #sent: readonly Device[] | undefined;

  constructor(call: GrpcCall, counters: PluginCounters) {
    this.#call = call;
    this.#counters = counters;
    call.onDrained = () => this.#sendNewest();
  }

  offer(devices: readonly Device[]): void {
    this.#newest = devices;
    if (!this.#call.isFull) this.#sendNewest();
  }

  /** After the newest list, also if the other side does not read just now. */
  end(): void {
    this.#sendNewest();
    this.#call.end();
  }

  #sendNewest(): void {
    const devices = this.#newest;
    if (devices === undefined) return;
    if (this.#sent !== undefined && sameDevices(this.#sent, devices)) return;
    this.#sent = devices;
    this.#call.send(devicePluginCodecs().devices.encode({ devices }));
    this.#counters.lists++;
  }
}
