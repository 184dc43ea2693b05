/** Protocol buffers of kubelet's two APIs, by reflection over the `.proto` texts. */

import protobuf from "protobufjs";
import devicePluginText from "./device_plugin.proto" with { type: "text" };
import podResourcesText from "./pod_resources.proto" with { type: "text" };
import type {
  AllocatableResourcesResponse,
  AllocateRequest,
  AllocateResponse,
  DevicePluginOptions,
  Empty,
  GetPodResourcesRequest,
  GetPodResourcesResponse,
  ListAndWatchResponse,
  ListPodResourcesResponse,
  RegisterRequest,
} from "./messages.ts";

/** Encodes and decodes messages of one type. `decode` throws an Error on bytes that are none. */
export interface Codec<T> {
  encode(message: T): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): T;
}

/** The messages of the device plugin API v1beta1 that stand at the top of a call. */
export interface DevicePluginCodecs {
  readonly empty: Codec<Empty>;
  readonly options: Codec<DevicePluginOptions>;
  readonly register: Codec<RegisterRequest>;
  readonly devices: Codec<ListAndWatchResponse>;
  readonly allocateRequest: Codec<AllocateRequest>;
  readonly allocateResponse: Codec<AllocateResponse>;
}

/** The messages of the pod resources API v1 that stand at the top of a call. */
export interface PodResourcesCodecs {
  readonly listRequest: Codec<Empty>;
  readonly listResponse: Codec<ListPodResourcesResponse>;
  readonly getRequest: Codec<GetPodResourcesRequest>;
  readonly getResponse: Codec<GetPodResourcesResponse>;
  readonly allocatableRequest: Codec<Empty>;
  readonly allocatableResponse: Codec<AllocatableResourcesResponse>;
}

let devicePlugin: DevicePluginCodecs | undefined;
let podResources: PodResourcesCodecs | undefined;

/** Parsed on the first call. */
export function devicePluginCodecs(): DevicePluginCodecs {
  if (devicePlugin !== undefined) return devicePlugin;
  const root = parseProto(devicePluginText);
  devicePlugin = {
    empty: codec(root, "v1beta1.Empty"),
    options: codec(root, "v1beta1.DevicePluginOptions"),
    register: codec(root, "v1beta1.RegisterRequest"),
    devices: codec(root, "v1beta1.ListAndWatchResponse"),
    allocateRequest: codec(root, "v1beta1.AllocateRequest"),
    allocateResponse: codec(root, "v1beta1.AllocateResponse"),
  };
  return devicePlugin;
}

/** Parsed on the first call. */
export function podResourcesCodecs(): PodResourcesCodecs {
  if (podResources !== undefined) return podResources;
  const root = parseProto(podResourcesText);
  podResources = {
    listRequest: codec(root, "v1.ListPodResourcesRequest"),
    listResponse: codec(root, "v1.ListPodResourcesResponse"),
    getRequest: codec(root, "v1.GetPodResourcesRequest"),
    getResponse: codec(root, "v1.GetPodResourcesResponse"),
    allocatableRequest: codec(root, "v1.AllocatableResourcesRequest"),
    allocatableResponse: codec(root, "v1.AllocatableResourcesResponse"),
  };
  return podResources;
}

/** The messages of both texts, for the test that compares them with the types. */
export function protoRoots(): readonly protobuf.Root[] {
  return [parseProto(devicePluginText), parseProto(podResourcesText)];
}

function parseProto(text: string): protobuf.Root {
  return protobuf.parse(text, { keepCase: true }).root;
}

const COMPLETE: protobuf.IConversionOptions = { defaults: true };

function codec<T extends object>(root: protobuf.Root, name: string): Codec<T> {
  const type = root.lookupType(name);
  return {
    // The copy ends in a buffer of its own; the writer's belongs to a shared pool.
    encode: (message) => Uint8Array.from(type.encode(message).finish()),
    decode: (bytes) => type.toObject(type.decode(bytes), COMPLETE) as T,
  };
}
