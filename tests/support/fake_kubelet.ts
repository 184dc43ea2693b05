/**
 * Kubelet as far as device plugins see it: it takes registrations, calls back, watches, and counts
 * devices. `kubelet_contract.ts` holds it to what the real one does, its faults included.
 */

import { describe } from "../../src/base/errors.ts";
import { devicePluginCodecs, podResourcesCodecs } from "../../src/deviceplugin/codec.ts";
import { unary } from "../../src/deviceplugin/grpc_call.ts";
import { GrpcError } from "../../src/deviceplugin/grpc_error.ts";
import { GrpcListener } from "../../src/deviceplugin/grpc_listener.ts";
import type {
  AllocatableResourcesResponse,
  AllocateResponse,
  Device,
  Empty,
  GetPodResourcesRequest,
  GetPodResourcesResponse,
  PodResources,
  RegisterRequest,
} from "../../src/deviceplugin/messages.ts";
import { PluginClient } from "./plugin_client.ts";

/** As a node's status shows it. */
export interface ResourceCount {
  readonly capacity: number;
  readonly allocatable: number;
}

interface Resource {
  devices: readonly Device[];
  /** The stream ended: what was healthy counts as unhealthy. */
  stopped: boolean;
}

interface Client {
  readonly resource: string;
  readonly plugin: PluginClient;
}

const DIAL_MS = 10_000;
const RESOURCE_NAME =
  /^(?=.{1,253}\/)[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;

export class FakeKubelet implements Disposable {
  readonly folder: string;
  readonly podResourcesSocket: string;
  /** Registrations taken or refused since it was made, in order. */
  readonly registrations: string[] = [];
  /** Device lists received since it was made. */
  lists = 0;
  /** What pods hold, for the pod resources API. */
  pods: readonly PodResources[] = [];
  /** Calls of the pod resources API to refuse, as kubelet does with too many. */
  podResourcesRefusals = 0;
  /** Whether it is old enough to know List alone. */
  hasGet = true;
  /** Registrations wait for it: kubelet listens before it answers. */
  serves: Promise<void> = Promise.resolve();
  readonly #resources = new Map<string, Resource>();
  /** By resource, the client of the newest registration. */
  readonly #clients = new Map<string, Client>();
  readonly #allClients = new Set<Client>();
  #listeners: readonly GrpcListener[] = [];

  /** In `dir`, which stands for /var/lib/kubelet. */
  constructor(dir: string) {
    this.folder = `${dir}/device-plugins`;
    this.podResourcesSocket = `${dir}/pod-resources/kubelet.sock`;
  }

  /** Removes the sockets of plugins and listens. What it knew of resources is left with no devices. */
  start(): void {
    Deno.mkdirSync(this.folder, { recursive: true });
    Deno.mkdirSync(this.podResourcesSocket.replace(/\/[^/]*$/, ""), { recursive: true });
    for (const { name } of Deno.readDirSync(this.folder)) {
      const path = `${this.folder}/${name}`;
      if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
    }
    for (const resource of this.#resources.values()) {
      resource.devices = [];
      resource.stopped = true;
    }
    this.#listeners = [this.#registration(), this.#podResources()];
    for (const listener of this.#listeners) listener.listen();
  }

  /** Ends as if killed: its connections break, its socket files stay. */
  kill(): void {
    for (const listener of this.#listeners) {
      // Closing a listener removes its file.
      Deno.renameSync(listener.path, `${listener.path}.kept`);
      listener[Symbol.dispose]();
      Deno.renameSync(`${listener.path}.kept`, listener.path);
    }
    this.#listeners = [];
    for (const { plugin } of this.#allClients) plugin[Symbol.dispose]();
    this.#allClients.clear();
    this.#clients.clear();
  }

  /** Killed and started again. */
  restart(): void {
    this.kill();
    this.start();
  }

  /** Breaks the connection to the plugin of `resource`. */
  hangUp(resource: string): void {
    this.#clients.get(resource)?.plugin[Symbol.dispose]();
  }

  /** Undefined for a resource that it never heard of. */
  count(resource: string): ResourceCount | undefined {
    const found = this.#resources.get(resource);
    if (found === undefined) return undefined;
    const healthy = found.devices.filter(({ health }) => health === "Healthy").length;
    return { capacity: found.devices.length, allocatable: found.stopped ? 0 : healthy };
  }

  /** Resources with a device to be had. */
  get allocatable(): number {
    return [...this.#resources.keys()].filter((name) => this.count(name)?.allocatable).length;
  }

  /** What a container gets for these devices. Throws if the plugin refuses, or is not there. */
  async allocate(resource: string, ...ids: readonly string[]): Promise<AllocateResponse> {
    const client = this.#clients.get(resource);
    if (client === undefined) throw new Error(`No plugin for "${resource}"`);
    return await client.plugin.allocate(ids);
  }

  [Symbol.dispose](): void {
    this.kill();
  }

  #registration(): GrpcListener {
    const { register, empty } = devicePluginCodecs();
    const path = "/v1beta1.Registration/Register";
    const handler = unary(register, empty, (request) => asStatus(() => this.#register(request)));
    return new GrpcListener(`${this.folder}/kubelet.sock`, new Map([[path, handler]]));
  }

  async #register({ version, endpoint, resource_name }: RegisterRequest): Promise<Empty> {
    await this.serves;
    this.registrations.push(resource_name);
    if (version !== "v1beta1") {
      throw new Error(`requested API version "${version}" is not supported by kubelet`);
    }
    if (!RESOURCE_NAME.test(resource_name) || /(^|\.)kubernetes\.io\//.test(resource_name)) {
      throw new Error(`the ResourceName "${resource_name}" is invalid`);
    }
    const client = { resource: resource_name, plugin: await dial(`${this.folder}/${endpoint}`) };
    if (this.#listeners.length === 0) client.plugin[Symbol.dispose]();
    this.#clients.set(resource_name, client);
    this.#allClients.add(client);
    if (!this.#resources.has(resource_name)) {
      this.#resources.set(resource_name, { devices: [], stopped: false });
    }
    this.#watch(client);
    return {};
  }

  async #watch(client: Client): Promise<void> {
    try {
      for await (const devices of client.plugin.listAndWatch()) {
        this.lists++;
        this.#resources.set(client.resource, { devices, stopped: false });
        Deno.writeTextFileSync(`${this.folder}/kubelet_internal_checkpoint`, "{}");
      }
    } catch {
      // it broke
    }
    if (!this.#allClients.delete(client)) return; // killed
    client.plugin[Symbol.dispose]();
    // Kubelet looks up who ended by name, and so takes a later registration for ended too.
    const newest = this.#clients.get(client.resource);
    if (newest === undefined) return;
    this.#clients.delete(client.resource);
    newest.plugin[Symbol.dispose]();
    const resource = this.#resources.get(client.resource);
    if (resource !== undefined) resource.stopped = true;
  }

  #podResources(): GrpcListener {
    const codecs = podResourcesCodecs();
    const limited = <T>(answer: () => T) => asStatus(() => this.#limited(answer));
    const service = {
      List: unary(
        codecs.listRequest,
        codecs.listResponse,
        () => limited(() => ({ pod_resources: this.pods })),
      ),
      Get: unary(
        codecs.getRequest,
        codecs.getResponse,
        (request) => limited(() => this.#get(request)),
      ),
      GetAllocatableResources: unary(
        codecs.allocatableRequest,
        codecs.allocatableResponse,
        () => limited(() => ({ devices: this.#allocatableDevices() })),
      ),
    };
    const byPath = Object.entries(service).map(([name, handler]) =>
      [`/v1.PodResourcesLister/${name}`, handler] as const
    );
    return new GrpcListener(this.podResourcesSocket, new Map(byPath));
  }

  #limited<T>(answer: () => T): T {
    if (this.podResourcesRefusals > 0) {
      this.podResourcesRefusals--;
      throw new GrpcError("ResourceExhausted", "rejected by rate limit");
    }
    return answer();
  }

  #get({ pod_name, pod_namespace }: GetPodResourcesRequest): GetPodResourcesResponse {
    if (!this.hasGet) throw new Error("PodResources API Get method disabled");
    const pod = this.pods.find((pod) => pod.name === pod_name && pod.namespace === pod_namespace);
    if (pod === undefined) {
      throw new Error(`pod ${pod_name} in namespace ${pod_namespace} not found`);
    }
    return { pod_resources: pod };
  }

  #allocatableDevices(): AllocatableResourcesResponse["devices"] {
    return [...this.#resources].map(([resource_name, { devices, stopped }]) => ({
      resource_name,
      device_ids: devices
        .filter(({ health }) => health === "Healthy" && !stopped)
        .map(({ ID }) => ID),
    }));
  }
}

/** Tries for as long as kubelet does. */
async function dial(path: string): Promise<PluginClient> {
  const deadline = performance.now() + DIAL_MS;
  for (;;) {
    const plugin = new PluginClient(path);
    try {
      await plugin.options();
      return plugin;
    } catch (error) {
      plugin[Symbol.dispose]();
      if (performance.now() > deadline) {
        throw new Error(`failed to dial device plugin: ${describe(error)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

/** An error of Go that has no status of its own travels as Unknown. */
async function asStatus<T>(answer: () => T | Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw error instanceof GrpcError ? error : new GrpcError("Unknown", describe(error));
  }
}
