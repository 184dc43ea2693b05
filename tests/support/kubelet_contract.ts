/**
 * What k8slan relies on of kubelet as a table of behaviours. The fake is held to it in
 * src/deviceplugin, the real one in tests/cluster.
 */

import assert from "node:assert/strict";
import { devicePluginCodecs } from "../../src/deviceplugin/codec.ts";
import type { PluginDevice } from "../../src/deviceplugin/device_list.ts";
import { DevicePluginServer } from "../../src/deviceplugin/device_plugin_server.ts";
import { GrpcClient } from "../../src/deviceplugin/grpc_client.ts";
import { GrpcError } from "../../src/deviceplugin/grpc_error.ts";
import { kubeletSocket } from "../../src/deviceplugin/plugin_folder.ts";
import { PodResources } from "../../src/deviceplugin/pod_resources.ts";
import { Registration } from "../../src/deviceplugin/register.ts";
import { socketIdentity } from "../../src/deviceplugin/socket_file.ts";
import type { ResourceCount } from "./fake_kubelet.ts";
import { LogRecorder } from "./log_recorder.ts";
import { until } from "./until.ts";

/** A kubelet that runs. */
export interface KubeletWorld {
  /** Its "device-plugins" folder. */
  readonly folder: string;
  readonly podResourcesSocket: string;
  /** Ends it hard, and starts it again. */
  restart(): Promise<void>;
  /** What the node's status says of a resource; undefined if nothing. */
  count(resource: string): Promise<ResourceCount | undefined>;
}

export interface KubeletBehaviour {
  readonly name: string;
  readonly run: (world: KubeletWorld) => Promise<void>;
}

const HEALTHY: PluginDevice = { id: "a", healthy: true };
const SICK: PluginDevice = { id: "b", healthy: false };
/** Longer than kubelet needs to say to the API server what changed. */
const TIMEOUT = 15_000;

/** A plugin for one behaviour; its resource is no other's. */
class Plugin implements Disposable {
  readonly resource: string;
  readonly server: DevicePluginServer;
  readonly #world: KubeletWorld;
  readonly #endpoint: string;

  constructor(world: KubeletWorld, name: string, devices: readonly PluginDevice[]) {
    this.resource = `contract.k8slan.io/${name}`;
    this.#world = world;
    this.#endpoint = `contract-${name}.sock`;
    this.server = new DevicePluginServer({
      path: `${world.folder}/${this.#endpoint}`,
      devices,
      pathOf: () => undefined,
      log: new LogRecorder(),
      counters: { lists: 0, allocations: 0 },
    });
  }

  /** Listens, registers, and waits for kubelet to watch. */
  async register(): Promise<void> {
    this.server.listen();
    await this.registerAgain();
    await until("kubelet to watch", () => this.server.watchers > 0);
  }

  async registerAgain(): Promise<void> {
    const { signal } = new AbortController();
    const registration = new Registration(kubeletSocket(this.#world.folder));
    await registration.register(this.resource, this.#endpoint, signal);
  }

  async reaches(capacity: number, allocatable: number): Promise<void> {
    let last: ResourceCount | undefined;
    const what = () => `${this.resource} to be ${capacity}/${allocatable}, is ${shown(last)}`;
    try {
      await until("the count", async () => {
        last = await this.#world.count(this.resource);
        return last?.capacity === capacity && last.allocatable === allocatable;
      }, { timeout: TIMEOUT, interval: 50 });
    } catch (cause) {
      throw new Error(what(), { cause });
    }
  }

  [Symbol.dispose](): void {
    this.server[Symbol.dispose]();
  }
}

function shown(count: ResourceCount | undefined): string {
  return count === undefined ? "absent" : `${count.capacity}/${count.allocatable}`;
}

/** Registers by hand what our own `register` never would. */
async function refusal(
  world: KubeletWorld,
  request: { readonly version: string; readonly resource_name: string },
): Promise<string> {
  using client = new GrpcClient(kubeletSocket(world.folder));
  const message = devicePluginCodecs().register.encode({
    ...request,
    endpoint: "contract-none.sock",
    options: null,
  });
  const call = client.unary("/v1beta1.Registration/Register", message, { deadline: 20_000 });
  const error = await call.then(() => undefined, (error) => error);
  assert.ok(error instanceof GrpcError, "it was taken");
  assert.equal(error.code, "Unknown");
  return error.message;
}

export const KUBELET_CONTRACT: readonly KubeletBehaviour[] = [
  {
    name: "counts the devices of a registered plugin, and follows its lists",
    async run(world) {
      using plugin = new Plugin(world, "counts", [HEALTHY, SICK]);
      await plugin.register();
      await plugin.reaches(2, 1);
      plugin.server.setDevices([{ ...HEALTHY, healthy: false }, SICK]);
      await plugin.reaches(2, 0);
      plugin.server.setDevices([HEALTHY]);
      await plugin.reaches(1, 1);
    },
  },
  {
    name: "counts nothing after an empty list, and after its end",
    async run(world) {
      using plugin = new Plugin(world, "withdrawn", [HEALTHY]);
      await plugin.register();
      await plugin.reaches(1, 1);
      await plugin.server.withdraw();
      await plugin.reaches(0, 0);
    },
  },
  {
    name: "keeps the capacity of a plugin that only hung up",
    async run(world) {
      using plugin = new Plugin(world, "gone", [HEALTHY]);
      await plugin.register();
      await plugin.reaches(1, 1);
      plugin.server[Symbol.dispose]();
      await plugin.reaches(1, 0);
    },
  },
  {
    name: "takes a plugin again that had hung up, or was withdrawn",
    async run(world) {
      for (const name of ["gone", "withdrawn"]) {
        using plugin = new Plugin(world, name, [HEALTHY]);
        await plugin.register();
        await plugin.reaches(1, 1);
      }
    },
  },
  {
    name: "watches through an earlier connection beside that of another registration",
    async run(world) {
      using plugin = new Plugin(world, "twice", [HEALTHY]);
      await plugin.register();
      await plugin.registerAgain();
      await until("a second watcher", () => plugin.server.watchers === 2);
      plugin.server.setDevices([HEALTHY, SICK]);
      await plugin.reaches(2, 1);
    },
  },
  {
    name: "takes a new registration for ended when the stream of an earlier one ends",
    async run(world) {
      using earlier = new Plugin(world, "successor", [HEALTHY]);
      await earlier.register();
      await earlier.reaches(1, 1);
      using later = new Plugin(world, "successor", [HEALTHY]);
      later.server.listen(); // takes the socket file over
      await later.registerAgain();
      await until("kubelet to watch", () => later.server.watchers === 1);
      earlier.server[Symbol.dispose]();
      await until("kubelet to hang up on the later one too", () => later.server.watchers === 0);
      await later.reaches(1, 0);
    },
  },
  {
    name: "refuses another version of the API",
    async run(world) {
      const request = { version: "v1beta2", resource_name: "contract.k8slan.io/version" };
      assert.match(await refusal(world, request), /version/);
    },
  },
  ...["pod1", "kubernetes.io/pod1", "contract.k8slan.io/", "a/b/c", "contract.k8slan.io/x y"]
    .map((resource_name): KubeletBehaviour => ({
      name: `refuses the resource name "${resource_name}"`,
      async run(world) {
        const message = await refusal(world, { version: "v1beta1", resource_name });
        assert.match(message, /is invalid/);
      },
    })),
  {
    name: "forgets devices when it starts, removes sockets, and makes its own anew",
    async run(world) {
      using plugin = new Plugin(world, "restart", [HEALTHY]);
      await plugin.register();
      await plugin.reaches(1, 1);
      const path = `${world.folder}/contract-restart.sock`;
      const kubelet = socketIdentity(kubeletSocket(world.folder));
      await world.restart();
      await plugin.reaches(0, 0);
      await until("the end of the stream", () => plugin.server.watchers === 0);
      assert.equal(socketIdentity(path), undefined);
      assert.notEqual(socketIdentity(kubeletSocket(world.folder)), kubelet);
      await plugin.register();
      await plugin.reaches(1, 1);
    },
  },
  {
    name: "tells of devices that can be had, by resource",
    async run(world) {
      using plugin = new Plugin(world, "resources", [HEALTHY, SICK]);
      await plugin.register();
      const resources = new PodResources(world.podResourcesSocket);
      await until("the resource", async () => {
        const ids = (await resources.allocatable()).get(plugin.resource);
        return ids?.length === 1 && ids[0] === HEALTHY.id;
      });
      await plugin.server.withdraw();
      await until("its end", async () => {
        return ((await resources.allocatable()).get(plugin.resource)?.length ?? 0) === 0;
      });
    },
  },
  {
    name: "knows no devices of a pod that is not there",
    async run(world) {
      const resources = new PodResources(world.podResourcesSocket);
      assert.deepEqual(await resources.ofPod("default", "nobody"), []);
    },
  },
];
