/** A device plugin manager at work beside a fake kubelet. */

import {
  DevicePluginManager,
  type DevicePluginOptions,
} from "../../src/deviceplugin/device_plugin_manager.ts";
import type { PluginDevice } from "../../src/deviceplugin/device_list.ts";
import { FakeKubelet } from "./fake_kubelet.ts";
import { LogRecorder } from "./log_recorder.ts";
import { TempDir } from "./temp_dir.ts";

export const POD1 = "macvtap.k8slan.io/pod1";

/** One healthy or unhealthy device for each resource, its ID the last part of the name. */
export function devicesOf(
  resources: readonly string[],
  { healthy = true } = {},
): Map<string, readonly PluginDevice[]> {
  return new Map(resources.map((resource) => {
    const id = resource.slice(resource.indexOf("/") + 1);
    return [resource, [{ id, healthy }]];
  }));
}

/** "macvtap.k8slan.io/pod0" and on. */
export function manyResources(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `macvtap.k8slan.io/pod${i}`);
}

export class DevicePluginSetting implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly kubelet = new FakeKubelet(this.dir.path);
  readonly log = new LogRecorder();
  readonly manager: DevicePluginManager;
  readonly #controller = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: Partial<DevicePluginOptions> = {}) {
    this.manager = new DevicePluginManager({
      folder: this.kubelet.folder,
      pathOf: (_resource, id) => `/dev/tap-${id}`,
      log: this.log,
      ...options,
    });
    this.#running = this.manager.run(this.#controller.signal);
  }

  /** The socket of a resource of this name. */
  socket(name: string): string {
    return `${this.kubelet.folder}/k8slan-${name}.sock`;
  }

  isRegistered(resource: string): boolean {
    return this.manager.state().resources.get(resource)?.registered === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#running;
    this.manager[Symbol.dispose]();
    this.kubelet[Symbol.dispose]();
    this.dir[Symbol.dispose]();
  }
}
