/**
 * The messages of `device_plugin.proto` and `pod_resources.proto` as types, with the names they
 * have there. A decoded message is complete: what was not sent has its zero value, and `null` stands
 * for an absent message. `codec_test.ts` compares these types with the texts.
 */

// deno-lint-ignore ban-types -- a message without fields
export type Empty = {};

export interface DevicePluginOptions {
  readonly pre_start_required: boolean;
  readonly get_preferred_allocation_available: boolean;
}

export interface RegisterRequest {
  readonly version: string;
  readonly endpoint: string;
  readonly resource_name: string;
  readonly options: DevicePluginOptions | null;
}

export interface Device {
  readonly ID: string;
  readonly health: string;
}

export interface ListAndWatchResponse {
  readonly devices: readonly Device[];
}

export interface ContainerAllocateRequest {
  readonly devices_ids: readonly string[];
}

export interface AllocateRequest {
  readonly container_requests: readonly ContainerAllocateRequest[];
}

export interface DeviceSpec {
  readonly container_path: string;
  readonly host_path: string;
  readonly permissions: string;
}

export interface ContainerAllocateResponse {
  readonly devices: readonly DeviceSpec[];
}

export interface AllocateResponse {
  readonly container_responses: readonly ContainerAllocateResponse[];
}

export interface ContainerDevices {
  readonly resource_name: string;
  readonly device_ids: readonly string[];
}

export interface ContainerResources {
  readonly name: string;
  readonly devices: readonly ContainerDevices[];
}

export interface PodResources {
  readonly name: string;
  readonly namespace: string;
  readonly containers: readonly ContainerResources[];
}

export interface ListPodResourcesResponse {
  readonly pod_resources: readonly PodResources[];
}

export interface GetPodResourcesRequest {
  readonly pod_name: string;
  readonly pod_namespace: string;
}

export interface GetPodResourcesResponse {
  readonly pod_resources: PodResources | null;
}

export interface AllocatableResourcesResponse {
  readonly devices: readonly ContainerDevices[];
}
