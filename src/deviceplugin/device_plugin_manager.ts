/** All resources of this node as kubelet's device plugins. */

import { describe } from "../base/errors.ts";
import { KeyedMutex } from "../base/keyed_mutex.ts";
import type { Log } from "../base/log.ts";
import type { PluginDevice } from "./device_list.ts";
import type { PluginCounters } from "./device_plugin_server.ts";
import { kubeletSocket, viewPluginFolder, watchPluginFolder } from "./plugin_folder.ts";
import { register } from "./register.ts";
import { Registrar, type RegistrarDelays } from "./registrar.ts";
import { isOurSocketName } from "./resource_name.ts";
import { ResourcePlugin } from "./resource_plugin.ts";

export interface DevicePluginOptions {
  /** Kubelet's "device-plugins" folder. */
  readonly folder: string;
  /**
   * The device file that a pod is promised for a device; it need not exist yet. Must answer the
   * same for ever: kubelet remembers the answer for as long as the pod lives, over reboots too.
   * Undefined: the device cannot be had, and the pod is refused.
   */
  readonly pathOf: (resource: string, deviceId: string) => string | undefined;
  readonly log: Log;
  /** Called after `state` may have become something else. */
  readonly changed?: () => void;
  readonly delays?: Partial<RegistrarDelays>;
}

export interface ResourceState {
  /** Kubelet knows the resource and hears of its changes. */
  readonly registered: boolean;
  readonly problem?: string;
}

export interface DevicePluginState {
  /** Whether kubelet's socket is there, and why it cannot be reached, if it cannot. */
  readonly kubelet: { readonly present: boolean; readonly problem?: string };
  readonly resources: ReadonlyMap<string, ResourceState>;
}

export interface DevicePluginCounters extends Readonly<PluginCounters> {
  /** Registrations that kubelet took. */
  readonly registrations: number;
}

/**
 * Guarantees: a server listens before its resource is registered; kubelet gets a message only when
 * something changed; what it lost by a restart, or by a file that was removed, it gets again by
 * itself. Caveat: two managers at one folder take the sockets from each other, ever more slowly.
 */
export class DevicePluginManager implements Disposable {
  readonly #options: DevicePluginOptions;
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #registrar: Registrar;
  readonly #counters: PluginCounters = { lists: 0, allocations: 0 };
  readonly #turns = new KeyedMutex();
  #wanted: ReadonlyMap<string, readonly PluginDevice[]> = new Map();
  readonly #plugins = new Map<string, ResourcePlugin>();
  readonly #badNames = new Map<string, string>();
  #kubelet: string | undefined;
  #looking = false;
  #lookAgain = false;
  /** For the next look that no event asks for. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = 0;
  #closed = false;

  constructor(options: DevicePluginOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#changed = options.changed ?? (() => {});
    this.#registrar = new Registrar({
      register: (resource, endpoint, signal) =>
        register(kubeletSocket(options.folder), resource, endpoint, signal),
      log: options.log,
      changed: this.#changed,
      ...(options.delays === undefined ? {} : { delays: options.delays }),
    });
  }

  get counters(): DevicePluginCounters {
    return { ...this.#counters, registrations: this.#registrar.registrations };
  }

  state(): DevicePluginState {
    const resources = new Map<string, ResourceState>();
    for (const resource of this.#wanted.keys()) resources.set(resource, this.#stateOf(resource));
    const present = this.#kubelet !== undefined;
    const problem = this.#registrar.problem;
    return { kubelet: problem === undefined ? { present } : { present, problem }, resources };
  }

  #stateOf(resource: string): ResourceState {
    const { registered, problem } = this.#registrar.state(resource) ?? { registered: false };
    const shown = this.#badNames.get(resource) ?? this.#plugins.get(resource)?.problem ?? problem;
    return shown === undefined ? { registered } : { registered, problem: shown };
  }

  /**
   * Offers these devices, by the name of their resource, and no others. Kubelet learns of a change
   * of health, or of a resource that goes, at once. Settles when all servers listen, or failed to,
   * and those of withdrawn resources are closed.
   */
  async setDevices(wanted: ReadonlyMap<string, readonly PluginDevice[]>): Promise<void> {
    this.#wanted = new Map(wanted);
    const resources = new Set([...wanted.keys(), ...this.#plugins.keys()]);
    await Promise.all(Array.from(resources, (resource) => this.#settle(resource)));
  }

  /** Follows kubelet's comings and goings until `signal` fires. */
  async run(signal: AbortSignal): Promise<void> {
    this.#removeStaleSockets();
    await watchPluginFolder(this.#options.folder, () => this.#look(), signal);
  }

  /**
   * Closes all sockets as they are. Kubelet takes the devices for unhealthy until they are back;
   * after five minutes it forgets them.
   */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#registrar[Symbol.dispose]();
    for (const plugin of this.#plugins.values()) plugin[Symbol.dispose]();
    this.#plugins.clear();
  }

  /** Brings one resource to what is wanted of it, one step after the other. */
  async #settle(resource: string): Promise<void> {
    const devices = this.#wanted.get(resource);
    if (devices !== undefined) this.#plugins.get(resource)?.setDevices(devices);
    await this.#turns.run(resource, async () => {
      if (this.#closed) return;
      const devices = this.#wanted.get(resource);
      const plugin = this.#plugins.get(resource);
      if (devices === undefined) await this.#withdraw(resource, plugin);
      else if (plugin === undefined) await this.#offer(resource, devices);
    });
  }

  async #offer(resource: string, devices: readonly PluginDevice[]): Promise<void> {
    try {
      const plugin = new ResourcePlugin({
        folder: this.#options.folder,
        resource,
        devices,
        pathOf: (deviceId) => this.#options.pathOf(resource, deviceId),
        log: this.#log,
        counters: this.#counters,
        watchersChanged: () => {
          if (this.#plugins.get(resource) !== plugin) return;
          this.#registrar.watchChanged(resource, plugin.isWatched);
        },
      });
      this.#plugins.set(resource, plugin);
      await this.#listen(resource, plugin);
    } catch (error) {
      this.#badNames.set(resource, describe(error));
      this.#changed();
    }
  }

  async #withdraw(resource: string, plugin: ResourcePlugin | undefined): Promise<void> {
    this.#badNames.delete(resource);
    if (plugin === undefined) return;
    this.#plugins.delete(resource);
    this.#registrar.remove(resource);
    await plugin.withdraw();
  }

  async #listen(resource: string, plugin: ResourcePlugin): Promise<void> {
    if (!plugin.isLost()) return;
    const isListening = await plugin.listen();
    if (this.#closed) plugin[Symbol.dispose]();
    else if (!isListening) this.#lookAt(plugin.listenAt);
    else if (this.#registrar.state(resource) === undefined) {
      this.#registrar.add(resource, plugin.endpoint);
    }
    this.#changed();
  }

  /** One look at a time; what changes meanwhile is looked at afterwards. */
  async #look(): Promise<void> {
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    do {
      this.#lookAgain = false;
      await this.#lookOnce();
    } while (this.#lookAgain && !this.#closed);
    this.#looking = false;
  }

  /** First all sockets, then kubelet: it calls back at once. */
  async #lookOnce(): Promise<void> {
    const { kubelet, sockets } = viewPluginFolder(this.#options.folder);
    const now = performance.now();
    const turns: Promise<void>[] = [];
    for (const [resource, plugin] of this.#plugins) {
      if (kubelet !== this.#kubelet) plugin.resetPauses();
      if (!plugin.isLost(sockets.get(plugin.endpoint))) continue;
      if (plugin.listenAt > now) this.#lookAt(plugin.listenAt);
      else turns.push(this.#turns.run(resource, () => this.#listenIfKept(resource, plugin)));
    }
    await Promise.all(turns);
    if (this.#closed) return;
    this.#kubelet = kubelet;
    this.#registrar.kubeletChanged(kubelet);
  }

  async #listenIfKept(resource: string, plugin: ResourcePlugin): Promise<void> {
    if (this.#plugins.get(resource) === plugin) await this.#listen(resource, plugin);
  }

  #lookAt(time: number): void {
    if (this.#timer !== undefined && this.#timerAt <= time) return;
    clearTimeout(this.#timer);
    this.#timerAt = time;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, Math.max(0, time - performance.now()));
  }

  /** What an agent that died left behind for resources that are gone since. */
  #removeStaleSockets(): void {
    const { folder } = this.#options;
    const ours = new Set(this.#plugins.values().map(({ endpoint }) => endpoint));
    for (const name of viewPluginFolder(folder).sockets.keys()) {
      if (!isOurSocketName(name) || ours.has(name)) continue;
      try {
        Deno.removeSync(`${folder}/${name}`);
      } catch (error) {
        this.#log.warn("Cannot remove a stale socket", { path: `${folder}/${name}`, error });
      }
    }
  }
}
