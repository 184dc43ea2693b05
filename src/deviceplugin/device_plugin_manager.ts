/** All resources of this node as kubelet's device plugins. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { PluginDevice } from "./device_list.ts";
import type { PluginCounters } from "./device_plugin_server.ts";
import { kubeletSocket, viewPluginFolder, watchPluginFolder } from "./plugin_folder.ts";
import { Registration } from "./register.ts";
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
  /** Called for each device that kubelet gives to a pod; of which pod, kubelet doesn't say. */
  readonly allocated?: (resource: string, deviceId: string) => void;
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
  #wanted: ReadonlyMap<string, readonly PluginDevice[]> = new Map();
  readonly #plugins = new Map<string, ResourcePlugin>();
  /** Withdrawn, until kubelet has hung up. */
  readonly #leaving = new Set<ResourcePlugin>();
  readonly #badNames = new Map<string, string>();
  #kubelet: string | undefined;
  /** For the next look that no event asks for. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = 0;
  #closed = false;

  constructor(options: DevicePluginOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#changed = options.changed ?? (() => {});
    const registration = new Registration(kubeletSocket(options.folder));
    this.#registrar = new Registrar({
      register: (resource, endpoint, signal) => registration.register(resource, endpoint, signal),
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
   * of health, or of a resource that goes, at once.
   */
  setDevices(wanted: ReadonlyMap<string, readonly PluginDevice[]>): void {
    this.#wanted = new Map(wanted);
    this.#badNames.clear();
    for (const resource of this.#plugins.keys()) {
      if (!wanted.has(resource)) this.#withdraw(resource);
    }
    for (const [resource, devices] of wanted) {
      const plugin = this.#plugins.get(resource);
      if (plugin === undefined) this.#offer(resource, devices);
      else plugin.setDevices(devices);
    }
    this.#changed();
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
    for (const plugin of [...this.#plugins.values(), ...this.#leaving]) plugin[Symbol.dispose]();
    this.#plugins.clear();
  }

  #offer(resource: string, devices: readonly PluginDevice[]): void {
    try {
      const plugin = new ResourcePlugin({
        folder: this.#options.folder,
        resource,
        devices,
        pathOf: (deviceId) => this.#options.pathOf(resource, deviceId),
        allocated: (deviceId) => this.#options.allocated?.(resource, deviceId),
        log: this.#log,
        counters: this.#counters,
        watchersChanged: () => {
          if (this.#plugins.get(resource) !== plugin) return;
          this.#registrar.watchChanged(resource, plugin.isWatched);
        },
      });
      this.#plugins.set(resource, plugin);
      this.#listen(resource, plugin);
    } catch (error) {
      this.#badNames.set(resource, describe(error));
    }
  }

  async #withdraw(resource: string): Promise<void> {
    const plugin = this.#plugins.get(resource);
    if (plugin === undefined) return;
    this.#plugins.delete(resource);
    this.#registrar.remove(resource);
    this.#leaving.add(plugin);
    await plugin.withdraw();
    this.#leaving.delete(plugin);
  }

  #listen(resource: string, plugin: ResourcePlugin): void {
    if (!plugin.listen()) this.#lookAt(plugin.listenAt);
    else if (this.#registrar.state(resource) === undefined) {
      this.#registrar.add(resource, plugin.endpoint);
    }
  }

  /** Looks at the folder after a change. First all sockets, then kubelet: it calls back at once. */
  #look(): void {
    const { kubelet, sockets } = viewPluginFolder(this.#options.folder);
    const now = performance.now();
    const isOtherKubelet = kubelet !== this.#kubelet;
    let isNews = isOtherKubelet;
    for (const [resource, plugin] of this.#plugins) {
      if (isOtherKubelet) plugin.resetPauses();
      if (!plugin.isLost(sockets.get(plugin.endpoint))) continue;
      isNews = true;
      if (plugin.listenAt > now) this.#lookAt(plugin.listenAt);
      else this.#listen(resource, plugin);
    }
    this.#kubelet = kubelet;
    this.#registrar.kubeletChanged(kubelet);
    // Whoever is told looks at all there is, and this happens without occasion too.
    if (isNews) this.#changed();
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
