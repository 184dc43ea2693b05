/** One resource: the server of its device, and whether kubelet can find its socket. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { pauseAfter, type Pauses } from "./call_gate.ts";
import type { PluginDevice } from "./device_list.ts";
import { DevicePluginServer, type PluginCounters } from "./device_plugin_server.ts";
import { socketIdentity } from "./socket_file.ts";
import { socketName } from "./resource_name.ts";

/** Between attempts to listen where it fails, or where another process takes the socket away. */
const PAUSES: Pauses = { first: 1_000, max: 30_000 };

export interface ResourcePluginOptions {
  readonly folder: string;
  readonly resource: string;
  readonly devices: readonly PluginDevice[];
  readonly pathOf: (deviceId: string) => string | undefined;
  readonly allocated: (deviceId: string) => void;
  readonly log: Log;
  readonly counters: PluginCounters;
  readonly watchersChanged: () => void;
}

export class ResourcePlugin implements Disposable {
  /** File name of the socket. */
  readonly endpoint: string;
  readonly #path: string;
  readonly #server: DevicePluginServer;
  readonly #log: Log;
  /** The socket that it made. */
  #socket: string | undefined;
  #failures = 0;
  #listenAt = 0;
  #problem: string | undefined;

  /** Throws K8slanError "BadResourceName". */
  constructor(options: ResourcePluginOptions) {
    this.endpoint = socketName(options.resource);
    this.#path = `${options.folder}/${this.endpoint}`;
    this.#log = options.log.with({ resource: options.resource });
    this.#server = new DevicePluginServer({ ...options, path: this.#path, log: this.#log });
  }

  get isWatched(): boolean {
    return this.#server.watchers > 0;
  }

  /** Why it does not listen, if it does not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Time before which `listen` is not worth calling. */
  get listenAt(): number {
    return this.#listenAt;
  }

  setDevices(devices: readonly PluginDevice[]): void {
    this.#server.setDevices(devices);
  }

  /** Whether kubelet would not find its socket; `socket` is what is there at its path. */
  isLost(socket: string | undefined): boolean {
    return this.#socket === undefined || this.#socket !== socket;
  }

  /** Listens, or listens again; kubelet's open streams go on. Whether it does now. */
  listen(): boolean {
    const isTaken = this.#socket !== undefined && socketIdentity(this.#path) !== undefined;
    try {
      this.#server.listen();
      this.#socket = socketIdentity(this.#path);
      this.#problem = undefined;
    } catch (error) {
      this.#socket = undefined;
      this.#problem = `Cannot listen at "${this.#path}": ${describe(error)}`;
      if (this.#failures === 0) this.#log.warn("Cannot listen", { error: this.#problem });
      this.#pause();
      return false;
    }
    if (isTaken) {
      this.#log.warn("Another process had taken the socket", { path: this.#path });
      this.#pause();
    } else {
      this.resetPauses();
    }
    return true;
  }

  /** A new kubelet, or a new folder: there is no reason left to wait. */
  resetPauses(): void {
    this.#failures = 0;
    this.#listenAt = 0;
  }

  async withdraw(): Promise<void> {
    await this.#server.withdraw();
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
  }

  #pause(): void {
    this.#listenAt = performance.now() + pauseAfter(this.#failures, PAUSES);
    this.#failures++;
  }
}
