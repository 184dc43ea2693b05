/** What kubelet knows of pods and the devices that they hold: its pod resources API v1. */

import { type Codec, podResourcesCodecs } from "./codec.ts";
import { GrpcClient } from "./grpc_client.ts";
import { GrpcError } from "./grpc_error.ts";
import type { ContainerDevices, PodResources as Pod } from "./messages.ts";

/** A device in the hands of a container. */
export interface HeldDevice {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly resource: string;
  readonly deviceId: string;
}

/** A pod that kubelet is to run on this node. */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

const SERVICE = "/v1.PodResourcesLister";
/** Of a whole question, waiting for kubelet's leave included. Milliseconds. */
const DEADLINE = 5_000;
/** Kubelet's own clients take as much; a pod needs some hundred bytes. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Kubelet refuses what comes faster than about 100 calls a second. Milliseconds. */
const REFUSED_PAUSE = { min: 20, max: 120 };

/** Answers come from a call of its own each time: who holds what changes at any moment. */
export class PodResources {
  readonly #socket: string;
  readonly #deadline: number;

  /**
   * For the kubelet that listens at `socket`, as in /var/lib/kubelet/pod-resources/kubelet.sock. An
   * answer takes `deadline` milliseconds at most.
   */
  constructor(socket: string, { deadline = DEADLINE }: { readonly deadline?: number } = {}) {
    this.#socket = socket;
    this.#deadline = deadline;
  }

  /** Every device that a container of a pod on this node holds, of whatever resource. */
  async list(): Promise<readonly HeldDevice[]> {
    return (await this.#pods()).flatMap(heldDevices);
  }

  /**
   * The pods of this node that have not ended, with or without devices. Not every pod that runs is
   * among them: a kubelet that was started again knows none until the API server tells it of them,
   * and it forgets one that was deleted by force at once, though its containers go on for a while.
   */
  async pods(): Promise<readonly PodName[]> {
    return (await this.#pods()).map(({ namespace, name }) => ({ namespace, name }));
  }

  /** The devices of one pod; none if kubelet has no such pod. */
  async ofPod(namespace: string, name: string): Promise<readonly HeldDevice[]> {
    const { getRequest, getResponse } = podResourcesCodecs();
    const request = { pod_name: name, pod_namespace: namespace };
    try {
      const { pod_resources } = await this.#call("Get", getRequest, request, getResponse);
      return pod_resources === null ? [] : heldDevices(pod_resources);
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      if (isUnknownPod(error)) return [];
      if (!isWithoutGet(error)) throw error;
    }
    const held = await this.list();
    return held.filter((device) => device.namespace === namespace && device.pod === name);
  }

  /** The healthy devices of each resource, held or not, as kubelet gives them to pods. */
  async allocatable(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { allocatableRequest, allocatableResponse } = podResourcesCodecs();
    const { devices } = await this.#call(
      "GetAllocatableResources",
      allocatableRequest,
      {},
      allocatableResponse,
    );
    return byResource(devices);
  }

  async #pods(): Promise<readonly Pod[]> {
    const { listRequest, listResponse } = podResourcesCodecs();
    return (await this.#call("List", listRequest, {}, listResponse)).pod_resources;
  }

  async #call<Q, A>(
    method: string,
    request: Codec<Q>,
    message: Q,
    response: Codec<A>,
  ): Promise<A> {
    const endsAt = performance.now() + this.#deadline;
    using client = new GrpcClient(this.#socket);
    let refusal: unknown;
    for (;;) {
      const options = { deadline: Math.max(1, endsAt - performance.now()), maxBytes: MAX_BYTES };
      try {
        const answer = await client.unary(`${SERVICE}/${method}`, request.encode(message), options);
        return response.decode(answer);
      } catch (error) {
        // That it refused all the time says more than that the last try came too late.
        if (!isRefusedForNow(error)) throw isLate(error) ? refusal ?? error : error;
        if (performance.now() + REFUSED_PAUSE.max > endsAt) throw error;
        refusal = error;
      }
      await pause();
    }
  }
}

/** Of different length for those who were refused together. */
async function pause(): Promise<void> {
  const { min, max } = REFUSED_PAUSE;
  await new Promise((resolve) => setTimeout(resolve, min + Math.random() * (max - min)));
}

function heldDevices({ namespace, name, containers }: Pod): HeldDevice[] {
  return containers.flatMap((container) =>
    container.devices.flatMap(({ resource_name, device_ids }) =>
      device_ids.map((deviceId) => ({
        namespace,
        pod: name,
        container: container.name,
        resource: resource_name,
        deviceId,
      }))
    )
  );
}

function byResource(devices: readonly ContainerDevices[]): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { resource_name, device_ids } of devices) {
    // Kubelet sends one entry for each device.
    found.set(resource_name, [...found.get(resource_name) ?? [], ...device_ids]);
  }
  return found;
}

function isLate(error: unknown): boolean {
  return error instanceof GrpcError && error.code === "DeadlineExceeded";
}

function isRefusedForNow(error: unknown): boolean {
  return error instanceof GrpcError && error.code === "ResourceExhausted" &&
    error.message.includes("rate limit");
}

/** Kubelet has no status for it: fmt.Errorf("pod %s in namespace %s not found", …). */
function isUnknownPod({ code, message }: GrpcError): boolean {
  return code === "Unknown" && message.endsWith("not found");
}

/** A kubelet before 1.34 has Get only where a feature gate is set. */
function isWithoutGet({ code, message }: GrpcError): boolean {
  return code === "Unimplemented" ||
    (code === "Unknown" && message.endsWith("Get method disabled"));
}
